"""A prepared session on a machine with a GPU and little time: no network, and none of DVC, pydantic and RDKit."""
