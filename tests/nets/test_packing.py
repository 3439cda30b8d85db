from __future__ import annotations

import numpy as np
import torch

from live.nets.packing import ALIGNMENT, Field, Packing

FIELDS = (Field("picture", (3, 5), "uint8"), Field("score"), Field("track", (), "int64"), Field("points", (4, 2)))


def test_host_and_device_read_the_same_values_from_one_buffer():
    packing = Packing(FIELDS)
    buffer = np.zeros((2, packing.row_bytes), np.uint8)
    rows = packing.arrays(buffer)
    rng = np.random.default_rng(0)
    for field in FIELDS:
        rows[field.name][...] = rng.integers(0, 200, (2, *field.shape))
    tensors = packing.tensors(torch.from_numpy(buffer))
    for field in FIELDS:
        assert tensors[field.name].shape == (2, *field.shape)
        assert np.array_equal(tensors[field.name].numpy(), rows[field.name])


def test_results_are_written_into_the_buffer_and_converted():
    packing = Packing(FIELDS)
    buffer = torch.zeros(3, packing.row_bytes, dtype=torch.uint8)
    values = {field.name: torch.rand(3, *field.shape) * 100 for field in FIELDS}
    packing.write(values, buffer)
    rows = packing.arrays(buffer.numpy())
    assert np.allclose(rows["points"], values["points"].numpy())
    assert np.array_equal(rows["picture"], values["picture"].byte().numpy())
    assert np.array_equal(rows["track"], values["track"].long().numpy())


def test_the_first_rows_of_a_batch_are_one_piece_of_memory():
    packing = Packing(FIELDS)
    buffer = np.zeros((8, packing.row_bytes), np.uint8)
    assert buffer[:2].flags["C_CONTIGUOUS"]
    assert packing.row_bytes % ALIGNMENT == 0
    assert not np.shares_memory(*(rows["points"] for rows in (packing.arrays(buffer[:1]), packing.arrays(buffer[1:]))))
