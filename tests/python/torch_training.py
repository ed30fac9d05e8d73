"""Trains a small transformer on the CPU for some steps, with PyTorch's own allocator or Tenure's, and
prints its losses bit by bit: what test_torch.py runs, each way in a process of its own.

    python torch_training.py default|tenure
"""
import gc
import json
import os
import sys

import torch


class Model(torch.nn.Module):
    def __init__(self, words=64, width=32):
        super().__init__()
        self.embed = torch.nn.Embedding(words, width)
        layer = torch.nn.TransformerEncoderLayer(width, 4, 4 * width, batch_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, 2)
        self.out = torch.nn.Linear(width, words)

    def forward(self, words):
        return self.out(self.encoder(self.embed(words)))


def train(steps=12, seed=5):
    torch.manual_seed(seed)
    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for step in range(steps):
        words = torch.randint(0, 64, (8 + step % 3, 24))
        loss = torch.nn.functional.cross_entropy(model(words).flatten(0, 1), words.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item().hex())
    return losses


def bytes_of_a_child():
    """What a forked child sums up over a tensor of its own: as the workers of a DataLoader do."""
    end, begin = os.pipe()
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # the threads of OpenMP stayed with the parent, as in a DataLoader
        os.write(begin, str(int(torch.ones(100_000).sum())).encode())
        os._exit(0)
    os.close(begin)
    said = os.read(end, 100).decode()
    return said, os.waitpid(child, 0)[1]


def main(how):
    torch.set_num_threads(2)
    report = {}
    if how == "tenure":
        import tenure
        import tenure.torch
        collector = tenure.GarbageCollector(tenure.GCConfiguration(device="host"))
        allocator = tenure.torch.install_cpu(collector)
        try:
            tenure.torch.install_cpu(collector)
        except RuntimeError as error:
            report["twice"] = str(error)
        report["losses"] = train()
        gc.collect()
        (client,) = collector.get_clients()
        report["client"] = [client.name, client.memory]
        report["peak"] = client.peak_live_bytes
        report["left"] = client.live_bytes
        report["allocations"] = allocator.allocations
        report["allocated"] = allocator.allocated_bytes
        report["child"] = bytes_of_a_child()

        big = torch.zeros(1 << 20)
        report["held"] = collector.get_clients()[0].live_bytes
        collector.limit_client("torch", "host", hard_bytes=8 << 20)
        try:
            torch.zeros(2 << 20)
        except RuntimeError as error:
            report["refused"] = str(error)
        report["others"] = collector.tensor([4 << 20]).shape[0]  # not the limited one's

        collector.limit_client("torch", "host")
        report["closed"] = repr(collector.shutdown().views_outstanding)
        report["after"] = float((big + 1).sum())
        kept_past_the_end.append(big)  # goes when the interpreter does
    else:
        report["losses"] = train()
    print(json.dumps(report))


kept_past_the_end = []

if __name__ == "__main__":
    main(sys.argv[1])
