"""Picture data: reading files, building datasets, the catalogue, sampling and augmentation."""
