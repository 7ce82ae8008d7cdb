"""DDRSA models: an encoder of the window and a decoder of L hazard logits.

Every network is called with windows (B, K, F + 1), whose last channel is 1 on a unit's rows and 0 on the padding before
them, and returns hazard logits (B, L). What it says does not depend on how much padding stands before a window.
To the baselines, `kaplan_meier` and `boosting`, the last channel has to give the age of each row, from 1.
"""
