"""Pictures of what runs did, as PNG or SVG. matplotlib is imported with the first of them.

figure    what all pictures share: looks, fonts, writing
gpu       how a run used its GPUs over time
compare   runs side by side
"""
