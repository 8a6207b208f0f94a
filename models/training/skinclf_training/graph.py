"""A function on a GPU as one CUDA graph: the thousand small kernels of a training step take longer to launch than to run."""

import torch


class Graph:
    """Calls `function` with tensors of always the same shapes, on the device.

    The first calls are plain ones, which make what lasts (moments of the optimiser, workspaces); then one is recorded,
    and repeated with other numbers. So the function may neither wait for the device nor decide anything by its numbers,
    and what it returns is a tensor. Graphs that share a `pool` of memory must not run at once.
    """

    WARM_UP = 4

    def __init__(self, function, device, pool):
        self.function, self.device, self.pool = function, device, pool
        self.calls, self.graph, self.given, self.result = 0, None, None, None

    def __call__(self, *given):
        if self.given is None:
            self.given = [torch.empty_like(values, device=self.device) for values in given]
        for ours, theirs in zip(self.given, given, strict=True):
            ours.copy_(theirs, non_blocking=True)
        self.calls += 1
        if self.calls <= self.WARM_UP:
            return self._beside()
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, pool=self.pool):
                self.result = self.function(*self.given)
        self.graph.replay()
        return self.result.clone()

    def _beside(self):
        """On a stream of its own, as PyTorch asks of calls before a recording."""
        beside, current = torch.cuda.Stream(), torch.cuda.current_stream()
        beside.wait_stream(current)
        with torch.cuda.stream(beside):
            result = self.function(*self.given)
        current.wait_stream(beside)
        return result
