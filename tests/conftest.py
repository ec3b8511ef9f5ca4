"""One thread for PyTorch: on small tensors, several only wait for each other."""

import torch

torch.set_num_threads(1)
