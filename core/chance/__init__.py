"""How far measured accuracies can be trusted: which samples were right, intervals, paired tests, resampled fronts.

Arrays in, numbers out: nothing here knows of supernets, files of runs or pages.
"""
