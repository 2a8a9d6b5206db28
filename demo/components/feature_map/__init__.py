"""The feature map."""
