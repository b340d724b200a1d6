"""What one adversarial training step needs: multiplications and additions, and bytes, counted from
its config.

    python benchmarks/count.py     # the table of benchmarks/README.md

Multiplications are those of the linear layers; all else is counted as bytes. Bytes are an estimate
of what crosses the memory, in float32, if every layer were one kernel (linear, norm, activation,
dropout at once) and nothing stayed in a cache between layers.
"""

from dataclasses import dataclass

from tips_ray.config import Config, Network, parts_of
from tips_ray.presets import arm_config, laptop, paper

FLOAT = 4
ADAM_PASSES = 7
"""Weight, gradient and two moments are read; weight and two moments are written."""
FORWARD_PASSES, BACKWARD_PASSES = 2, 4
"""Of a layer's activations: read the input and write the output; then read the output's gradient,
the output and the input, and write the input's gradient."""
PUBLISHED = {
    # Vendors' data sheets, dense: TFLOP/s in float32 without tensor cores, in TF32, in bfloat16;
    # memory in TB/s.
    "A100 80 GB SXM": (19.5, 156.0, 312.0, 2.039),
    "H100 SXM": (67.0, 494.5, 989.0, 3.35),
}


@dataclass(frozen=True)
class Need:
    """What one step of one batch needs."""

    flops: float
    num_bytes: float

    def seconds(self, flops_a_second: float, bytes_a_second: float) -> tuple[float, float]:
        """Floors of the time: by arithmetic, and by memory."""
        return self.flops / flops_a_second, self.num_bytes / bytes_a_second


def layers(inputs: int, outputs: int, blocks: int, network: Network) -> list[tuple[int, int]]:
    """(inputs, outputs) of every linear layer of a residual network."""
    width = network.width
    return [(inputs, width), *[(width, width)] * (2 * blocks), (width, outputs)]


def step_need(config: Config) -> Need:
    """One adversarial step: 5 lifts forwards and backwards, 3 judgements forwards and backwards."""
    network, batch = config.network, config.optimiser.batch_size
    sizes = [len(part.joints) for part in parts_of(config)]
    generators = [layers(2 * size, size, network.generator_blocks, network) for size in sizes]
    judge = layers(32, 1, network.discriminator_blocks, network)
    flops = num_bytes = 0.0
    # (network, passes that weigh their layers' weights, passes whose input has a gradient, passes
    # whose input has none)
    plan = [(each, 5, 3, 2) for each in generators] + [(judge, 2, 0, 2), (judge, 0, 1, 0)]
    for each, weighed, differentiable, fixed in plan:
        macs = [inputs * outputs for inputs, outputs in each]
        is_transient = differentiable + fixed
        forward, weights = is_transient * sum(macs), weighed * sum(macs)
        inputs = differentiable * sum(macs) + fixed * sum(macs[1:])
        flops += 2 * batch * (forward + weights + inputs)
        activations = sum(outputs for _, outputs in each)
        num_bytes += FLOAT * batch * activations * is_transient * (FORWARD_PASSES + BACKWARD_PASSES)
    for each in [*generators, judge]:
        num_bytes += FLOAT * ADAM_PASSES * sum((inputs + 1) * outputs for inputs, outputs in each)
    return Need(flops, num_bytes)


def main() -> None:
    """Print needs and floors as a Markdown table."""
    print("| step | GFLOP | GB |", " | ".join(f"{name}: float32, TF32, bf16, memory (float32)" for name in PUBLISHED), "|")
    print("|---|---|---|" + "---|" * len(PUBLISHED))
    for preset in (laptop, paper):
        for arm in ("solo", "parts"):
            config = arm_config(preset().config, arm)
            need = step_need(config)
            floors = []
            for fp32, tf32, bf16, memory in PUBLISHED.values():
                times = [need.flops / (rate * 1e12) for rate in (fp32, tf32, bf16)] + [need.num_bytes / (memory * 1e12)]
                floors.append(", ".join(f"{1e3 * time:.3g}" for time in times) + " ms")
            name = f"{preset.__name__}, {arm} ({config.network.width} units, {config.optimiser.batch_size} poses)"
            print(f"| {name} | {need.flops / 1e9:.4g} | {need.num_bytes / 1e9:.3g} | {' | '.join(floors)} |")


if __name__ == "__main__":
    main()
