"""Images in memory: the catalogue of data sets, their loaders, the splits and the augmentation."""
