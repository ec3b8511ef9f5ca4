"""One thread for PyTorch: on small tensors, several only wait for each other. And Ctrl-C reaches
what tests start: a shell that starts `pytest` in the background would have it ignored.
"""

import signal

import torch

torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
