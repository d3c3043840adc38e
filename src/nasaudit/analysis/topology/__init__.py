"""The shape of the cells, the size of the network, and how far it sees."""
