"""The main job: real layers, networks, weights and photographs in every framework."""
