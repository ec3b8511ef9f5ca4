"""Training of the two-stream backbone itself, on frames and flow, with the losses of `joint`.

The methods are those of `pipeline/joint` and `pipeline/methods`: the backbone stands in front of
the features that they see, and learns.
"""
