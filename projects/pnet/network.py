"""P-Net, the first of MTCNN's three networks, its loss, and how well it does (Zhang et al., 2016).

Three small convolutions see a 12 x 12 window; one head says whether it shows a face, the other where the face's box is.
The paper's third head, for five landmarks, is left out: the data have none.
"""

import torch
from faces import BACKGROUND, IS_FACE, PART
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

UNIT = 25.0  # L_box is in pixels of the picture, for a window as large as the picture
FALSE_ALARMS = 0.01


class PNet(nn.Module):
    """(n, 1, 12, 12) -> the logit of "a face" (n,), and the box (n, 4) in shares of the window's side."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            *(nn.Conv2d(1, 10, 3), nn.PReLU(10), nn.MaxPool2d(2)),
            *(nn.Conv2d(10, 16, 3), nn.PReLU(16)),
            *(nn.Conv2d(16, 32, 3), nn.PReLU(32)),
        )
        self.face, self.box = nn.Conv2d(32, 1, 1), nn.Conv2d(32, 4, 1)

    def forward(self, pixels):
        """Return the logits and the boxes."""
        seen = self.trunk(pixels)
        return self.face(seen).flatten(), self.box(seen).flatten(1) / UNIT


def losses(logits, boxes, windows):
    """Return L_cls and L_box, each a mean over the windows that it concerns.

    L_cls: the cross-entropy over faces and background. L_box: the squared error over faces and parts, summed over
    left, top, right and bottom, in pixels of the picture.
    """
    classified, boxed = windows.kind != PART, windows.kind != BACKGROUND
    cls_loss = binary_cross_entropy_with_logits(logits[classified], (windows.kind[classified] == IS_FACE).float())
    box_loss = ((UNIT * (boxes - windows.box)[boxed]) ** 2).sum(dim=1).mean()
    return cls_loss, box_loss


@torch.no_grad()
def evaluate(network, windows):
    """Return the two validation losses, the recall at one false alarm in 100, and the mean error of the boxes.

    The error is that of one side of the box, as a share of the window's side, over faces and parts.
    """
    logits, boxes = network(windows.pixels)
    cls_loss, box_loss = losses(logits, boxes, windows)
    threshold = torch.quantile(logits[windows.kind == BACKGROUND], 1 - FALSE_ALARMS)
    return {
        "val_cls_loss": cls_loss.item(),
        "val_box_loss": box_loss.item(),
        "recall": (logits[windows.kind == IS_FACE] > threshold).float().mean().item(),
        "box_error": (boxes - windows.box)[windows.kind != BACKGROUND].abs().mean().item(),
    }


class Adam:
    """Kingma and Ba (2015), algorithm 1: torch.optim would first load PyTorch's compiler, longer than we train."""

    def __init__(self, parameters, betas=(0.9, 0.999)):
        self.parameters, self.betas, self.steps = list(parameters), betas, 0
        self.moments = [[torch.zeros_like(each) for each in self.parameters] for _ in betas]

    @torch.no_grad()
    def step(self, loss, lr):
        """Take one step of this size against the loss's gradient."""
        self.steps += 1
        gradients = torch.autograd.grad(loss, self.parameters)
        for power, (beta, moments) in enumerate(zip(self.betas, self.moments, strict=True), 1):
            for moment, gradient in zip(moments, gradients, strict=True):
                moment.lerp_(gradient**power, 1 - beta)
        first, second = (1 - beta**self.steps for beta in self.betas)
        for parameter, mean, square in zip(self.parameters, *self.moments, strict=True):
            parameter.addcdiv_(mean / first, (square / second).sqrt() + 1e-8, value=-lr)
