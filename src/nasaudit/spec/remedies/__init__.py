"""What hardens an architecture: the catalogue, defences of a training, limits of answers, what a study asks for."""
