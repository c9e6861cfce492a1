"""Lines that say a case, as they are printed."""

# Lines as they are printed. If one of them no longer says itself, so do those in old bug reports.
GOLDEN = [
    "conv2d c4>8 k3x2 s2x1 d1x2 same g2 n1 hw7x9 ints:17",
    "conv1d c2>4 k3 causal reflect g2 nobias n3 w7 ints:0",
    "conv3d c2>3 k3 p2:1x1:1x0:2 replicate n1 dhw4x3x2 reals:5",
    "depthwise2d c3 k3 s2x1 same m2 n1 hw7x6 ints:9223372036854775807",
    "separable2d c3>5 k3 s2 same m2 nodwbias n2 hw7 reals:1",
    "transpose2d c4>6 k3x2 s2x1 p1x0 op1x0 g2 n1 hw4x5 ints:3",
    "maxpool2d k3x2 s2x1 p1:2x0:1 n1 hw6x5 c3 reals:2",
    "avgpool1d k4 s3 p3:1 nocount n1 w6 c3 ints:4",
    "batchnorm2d c3 eps0.001 n1 hw4 ints:5",
    "conv2d c3>4 k3 same nobias n1 hw8 | batchnorm2d c4 | residual( conv2d c4>4 k3 same | relu ; "
    "depthwise2d c4 k1 ) | leaky_relu a0.2 | avgpool2d k2 nocount | gap | dense c4>2 ints:6",
]
