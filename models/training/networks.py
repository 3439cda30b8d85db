"""The two networks: plain residual convolutions, scaling and decoding inside, so that the ONNX files take camera bytes.

Dense 3x3 convolutions at low resolution, because depthwise ones cost more time per useful multiplication on a CPU core.
Know nothing about data or training.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH_PX = 128
LANDMARKS = 478
STRIDES_PX = (8, 16, 32)
FACE_POINTS = 5


def convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU; padded so that a stride divides the side exactly."""
    padding = (size - stride + 1) // 2 if stride > 1 else size // 2
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """Two 3x3 convolutions around which the input passes (He et al. 2016)."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return functional.relu(features + self.second(self.first(features)))


def stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    """Halve the resolution, then a number of residual blocks."""
    return nn.Sequential(convolution(inputs, outputs, 3, 2), *(Residual(outputs) for _ in range(blocks)))


class CameraNetwork(nn.Module):
    """A network that takes camera bytes: (N, H, W, 3) uint8 BGR."""

    scale = 1 / 127.5  # bytes to about 0..2; the mean is left to the first batch norm
    stem: nn.Sequential

    def stem_features(self, pictures: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 BGR -> (N, C, H / 4, W / 4)."""
        planes = pictures.permute(0, 3, 1, 2).float()
        return self.stem(planes if self.scale == 1.0 else planes * self.scale)

    @torch.no_grad()
    def fold_scale(self) -> None:
        """Move the scaling into the first convolution: one pass less over the picture in the exported network."""
        self.stem[0][0].weight.mul_(self.scale)
        self.scale = 1.0


class LandmarkNetwork(CameraNetwork):
    """Face patch -> 478 landmarks, through a linear shape model, and whether there is a face at all."""

    def __init__(self, widths: list[int], blocks: list[int], features: int, modes: int):
        """Args: widths, blocks of the stages at 32, 16, 8, 4 px; features: the vector; modes: the shape model."""
        super().__init__()
        self.stem = nn.Sequential(convolution(3, widths[0], 8, 4), *(Residual(widths[0]) for _ in range(blocks[0])))
        pairs = zip(widths, widths[1:], blocks[1:], strict=False)
        self.stages = nn.Sequential(*(stage(*pair) for pair in pairs))
        side_px = PATCH_PX // 4 // 2 ** (len(widths) - 1)
        self.vector = nn.Sequential(nn.Linear(widths[-1] * side_px**2, features), nn.ReLU(inplace=True))
        self.coefficients = nn.Linear(features, modes)
        self.shape = nn.Linear(modes, LANDMARKS * 3)
        self.face = nn.Linear(features, 1)

    @torch.no_grad()
    def set_shape_model(self, mean: Tensor, modes: Tensor) -> None:
        """Start from a linear model of shape: mean (1434,), modes (modes, 1434) scaled to one standard deviation."""
        self.shape.bias.copy_(mean)
        self.shape.weight.copy_(modes.T)

    def forward(self, patch: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 128, 128, 3) uint8 BGR -> landmarks (N, 478, 3) in patch sides, face logit (N,)."""
        features = self.stages(self.stem_features(patch))
        vector = self.vector(features.flatten(1))
        landmarks = self.shape(self.coefficients(vector)).reshape(-1, LANDMARKS, 3)
        return landmarks, self.face(vector).squeeze(1)


class DepthwiseHead(nn.Module):
    """Score, box and points of every cell of one stride: a depthwise 3x3, then pointwise convolutions."""

    def __init__(self, channels: int):
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            convolution(channels, channels, 1),
        )
        self.out = nn.Conv2d(channels, 1 + 4 + 2 * FACE_POINTS, 1)
        nn.init.constant_(self.out.bias[:1], -4.6)  # 1 % of the cells: keeps the first steps calm (Lin et al. 2017)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, H * W, 15)."""
        return self.out(self.mix(features)).flatten(2).transpose(1, 2)


class DetectorNetwork(CameraNetwork):
    """Thumbnail -> face scores, boxes and five points per cell at strides 8, 16 and 32, anchor-free."""

    def __init__(self, widths: list[int], blocks: list[int], neck: int):
        """Args: widths, blocks of the stages at strides 4, 8, 16, 32; neck: channels that the strides share."""
        super().__init__()
        self.stem = nn.Sequential(convolution(3, widths[0], 6, 4), *(Residual(widths[0]) for _ in range(blocks[0])))
        pairs = zip(widths, widths[1:], blocks[1:], strict=False)
        self.stages = nn.ModuleList(stage(*pair) for pair in pairs)
        self.lateral = nn.ModuleList(convolution(width, neck, 1) for width in widths[1:])
        self.heads = nn.ModuleList(DepthwiseHead(neck) for _ in STRIDES_PX)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, H, W, 3) uint8 BGR -> boxes (N, K, 4) px, score logits (N, K), points (N, K, 5, 2) px.

        K counts the cells of stride 8 row by row, then those of 16, then of 32; H and W are multiples of 32.
        """
        features = self.stem_features(image)
        levels = []
        for step, lateral in zip(self.stages, self.lateral, strict=True):
            features = step(features)
            levels.append(lateral(features))
        for fine in (1, 0):
            levels[fine] = levels[fine] + functional.interpolate(levels[fine + 1], scale_factor=2.0, mode="nearest")
        parts = [self.decoded(*row) for row in zip(levels, self.heads, STRIDES_PX, strict=True)]
        boxes, logits, points = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        return boxes, logits, points

    @staticmethod
    def decoded(level: Tensor, head: nn.Module, stride_px: int) -> tuple[Tensor, Tensor, Tensor]:
        """Turn one stride's features into boxes (N, H * W, 4) px, logits (N, H * W), points (N, H * W, 5, 2) px."""
        raw = head(level).float()
        centres = cell_centres(level.shape[2], level.shape[3], stride_px, level.device)  # (1, H * W, 2)
        middle = centres + raw[..., 1:3] * stride_px
        half = torch.exp(raw[..., 3:5].clamp(-4.0, 4.0)) * (stride_px * 1.5)
        points = centres.repeat(1, 1, FACE_POINTS) + raw[..., 5:] * stride_px  # (N, H * W, 10)
        return torch.cat([middle - half, middle + half], dim=-1), raw[..., 0], points.unflatten(-1, (FACE_POINTS, 2))


def cell_centres(rows: int, columns: int, stride_px: int, device: torch.device) -> Tensor:
    """Return the (1, rows * columns, 2) px x,y of the cells' centres, row by row."""
    x = (torch.arange(columns, device=device) + 0.5) * stride_px - 0.5
    y = (torch.arange(rows, device=device) + 0.5) * stride_px - 0.5
    return torch.stack([x[None].expand(rows, -1), y[:, None].expand(-1, columns)], dim=-1).reshape(1, -1, 2)
