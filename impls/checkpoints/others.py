"""Files of others, which are told from those that can be read, and never read."""

# how they begin -> what they are, and what to do
HEADS = {
    b"\x89HDF": "weights of Keras (HDF5): load them into their Keras model, and convert that",
    b"\x93NUMPY": "one array of NumPy: write a spec and its weights with convparity.save",
}
SUFFIXES = (".bin", ".ckpt", ".h5", ".keras", ".npz", ".npy", ".onnx", ".msgpack")
