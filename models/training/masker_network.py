"""The masker's network: a small U-Net of plain convolutions, scaling and sigmoid inside, so that it takes camera bytes.

Dense 3x3 convolutions where the picture is small, depthwise ones on the way up where it is large and the time goes into
memory; each cell at half resolution answers for 2 x 2 px. Knows nothing about data or training.
"""

from torch import Tensor, nn
from torch.nn import functional

from models.training.networks import CameraNetwork, convolution, stage

FINE_STRIDE = 2


class Climb(nn.Module):
    """Carries coarse features to the next finer level: narrowed, doubled in size, added to what the way down kept."""

    def __init__(self, coarse: int, fine: int, *, depthwise: bool = False):
        super().__init__()
        self.narrow = convolution(coarse, fine, 1)
        self.mix = convolution(fine, fine)
        if depthwise:
            spread = nn.Conv2d(fine, fine, 3, 1, 1, groups=fine, bias=False)
            self.mix = nn.Sequential(spread, nn.BatchNorm2d(fine), convolution(fine, fine, 1))

    def forward(self, coarse: Tensor, kept: Tensor) -> Tensor:
        """(N, C, H, W), (N, F, 2 H, 2 W) -> (N, F, 2 H, 2 W)."""
        return self.mix(kept + functional.interpolate(self.narrow(coarse), scale_factor=2.0, mode="nearest"))


class MaskNetwork(CameraNetwork):
    """Face patch -> per pixel, whether it shows the face itself."""

    def __init__(self, fine: int, widths: list[int], blocks: list[int], depthwise: int):
        """Args: fine: channels at half resolution; widths, blocks: channels and residual blocks at 1/4, 1/8, ...;
        depthwise: how many of the finest levels mix by depthwise convolutions on the way up.
        """
        super().__init__()
        self.stem = nn.Sequential(convolution(3, fine, 4, FINE_STRIDE))
        levels = [fine, *widths]
        pairs = list(zip(levels, widths, strict=False))
        self.down = nn.ModuleList(stage(*pair, count) for pair, count in zip(pairs, blocks, strict=True))
        self.up = nn.ModuleList(Climb(coarse, kept, depthwise=i < depthwise) for i, (kept, coarse) in enumerate(pairs))
        self.out = nn.Conv2d(fine, FINE_STRIDE**2, 1)

    def forward(self, patch: Tensor) -> Tensor:
        """(N, 128, 128, 3) uint8 BGR -> logits (N, 128, 128)."""
        kept = [self.stem_features(patch)]
        for step in self.down:
            kept.append(step(kept[-1]))
        features = kept.pop()
        for step in reversed(self.up):
            features = step(features, kept.pop())
        return functional.pixel_shuffle(self.out(features), FINE_STRIDE).squeeze(1)
