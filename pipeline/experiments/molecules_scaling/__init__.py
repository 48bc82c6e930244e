"""Does gain come to misfit on real molecules once the student has weak labels in plenty?"""
