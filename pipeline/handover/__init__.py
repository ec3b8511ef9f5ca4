"""A source model on its way to somebody else, without the source's data: docs/handover.md.

One exports a folder, the other puts it in place of the source domain's videos. `bundle` knows its
files and their digests, `received` checks all that is in them.
"""
