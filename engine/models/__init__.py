"""Networks: architectures split into stages, pretrained weights, freezing."""
