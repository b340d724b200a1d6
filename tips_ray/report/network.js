"use strict";
// The lifter itself: a multilayer perceptron for each part of the body, as tips_ray/lift/network.py has it.

function lifterOf({ parts, slope, mirrorMean, mirrored }) {
  const whole = ([text, unit]) => Float32Array.from(numbers(text, Int16Array), (value) => value * unit);
  const networks = parts.map(({ joints, layers }) => ({
    joints,
    layers: layers.map(({ weight, bias }) => ({ weight: whole(weight), bias: whole(bias) })),
  }));

  function dense({ weight, bias }, x, leaky) {
    const y = Float32Array.from(bias);
    const outputs = y.length;
    x.forEach((value, row) => {
      for (let column = 0; column < outputs; column++) y[column] += value * weight[row * outputs + column];
    });
    return leaky ? y.map((value) => (value < 0 ? slope * value : value)) : y;
  }

  function once(keypoints) {
    const depth = new Float32Array(keypoints.length);
    for (const { joints, layers } of networks) {
      let x = dense(layers[0], joints.flatMap((joint) => keypoints[joint]), true);
      for (let at = 1; at + 1 < layers.length; at += 2) {
        const y = dense(layers[at + 1], dense(layers[at], x, true), true);
        x = x.map((value, place) => value + y[place]);
      }
      dense(layers[layers.length - 1], x, false).forEach((value, place) => (depth[joints[place]] = Math.tanh(value)));
    }
    return depth;
  }

  // Depths of the 16 joints but the root, from their places relative to it, in the same unit.
  return (keypoints) => {
    const size = Math.max(...keypoints.flat().map(Math.abs)) || 1;
    const seen = keypoints.map(([x, y]) => [x / size, y / size]);
    const depth = once(seen);
    if (!mirrorMean) return Array.from(depth, (value) => value * size);
    const image = once(mirrored.map((joint) => [-seen[joint][0], seen[joint][1]]));
    return Array.from(depth, (value, joint) => ((value + image[mirrored[joint]]) / 2) * size);
  };
}
