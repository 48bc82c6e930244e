"""What is measured of teacher, student and ceiling on one sample: columns of the cells, the same everywhere."""
