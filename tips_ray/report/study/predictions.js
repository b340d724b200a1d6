"use strict";
(() => {
  const { predictions } = JSON.parse(document.getElementById("content").textContent);
  if (!predictions) return;
  const { joints, bones, colours, flat, errorUnit, reach, start } = predictions;
  const NUM = joints.length, skeleton = skeletonOf({ bones, joints, colours });
  const element = (id) => document.getElementById(`prediction-${id}`);
  const [slider, seed, when, reset] = ["epoch", "seed", "when", "reset"].map(element);
  const bodies = (text) => {
    const values = numbers(text, Int16Array);
    return (pose) => joints.map((_, joint) => [0, 1, 2].map((axis) => values[(pose * NUM + joint) * 3 + axis]));
  };
  const truth = bodies(predictions.truth);
  const arms = predictions.arms.map(({ name, chosen, errors, history, network }) => ({
    name, errors, chosen: bodies(chosen), lift: network && lifterOf(network),
    history: history && { ...history, depths: numbers(history.depths, Int16Array), errors: numbers(history.errors, Int16Array) },
  }));
  const steps = Math.max(0, ...arms.map(({ history }) => (history ? history.epochs.length : 0)));
  const numPoses = flat.length;
  let turned = 0.5, raised = 0.15;

  // The epoch of an arm at a step of the slider, by its share of the training; the last step has the weights to use.
  const inTraining = () => slider && Number(slider.value) < steps;
  const epochOf = ({ epochs }) => Math.round((Number(slider.value) / Math.max(1, steps - 1)) * (epochs.length - 1));

  // What an arm makes of a pose: its body, what stands below it, and its error.
  function answer(arm, pose) {
    if (!inTraining() || !arm.history) return { body: arm.chosen(pose), label: arm.name, error: arm.errors[pose] };
    const { history } = arm, epoch = epochOf(history);
    const run = Math.max(0, history.seeds.indexOf(Number(seed.value)));
    const place = (run * history.epochs.length + epoch) * numPoses + pose;
    const body = arm.chosen(pose).map(([x, y], joint) => [x, y, joint ? history.depths[place * (NUM - 1) + joint - 1] : 0]);
    return { body, label: `${arm.name}, epoch ${history.epochs[epoch]}`, error: history.errors[place] * errorUnit };
  }

  function row(first) {
    const made = element("row").content.cloneNode(true).firstElementChild;
    const choice = made.querySelector("select"), canvases = made.querySelector(".canvases");
    choice.selectedIndex = first;
    const panel = (label) => {
      const figure = document.createElement("figure"), canvas = document.createElement("canvas"), caption = document.createElement("figcaption");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", label);
      figure.append(canvas, caption);
      canvases.append(figure);
      return { canvas, caption };
    };
    const seen = panel("2D pose"), panels = arms.map(({ name }) => panel(`Prediction of ${name}`));
    const others = [panel("True pose"), panel("Flat prediction")];
    const three = [...panels, ...others];
    let changed = null;
    const keypoints = () => changed ?? truthless(choice.selectedIndex);
    const truthless = (pose) => arms[0].chosen(pose).map(([x, y]) => [x, y, 0]);

    function relifted(arm) {
      if (!arm.lift) return { body: null, label: arm.name, error: null };
      const depth = arm.lift(changed.slice(1));
      return { body: changed.map(([x, y], joint) => [x, y, joint ? depth[joint - 1] : 0]), label: arm.name, error: null };
    }

    const plane = () => projection({ width: seen.canvas.clientWidth, height: seen.canvas.clientHeight }, scaleOf(seen.canvas), 0, 0);
    const scaleOf = ({ clientWidth, clientHeight }) => Math.min(1.4 * clientWidth, clientHeight) / reach;

    function draw() {
      const pose = choice.selectedIndex;
      skeleton(prepared(seen.canvas).context, keypoints().map(plane()), 2);
      seen.caption.textContent = changed ? "changed by hand" : "as it was seen";
      const answers = arms.map((arm) => (changed ? relifted(arm) : answer(arm, pose)));
      answers.push({ body: changed ? null : truth(pose), label: "truth", error: null });
      answers.push({ body: keypoints(), label: "flat", error: changed ? null : flat[pose] });
      answers.forEach(({ body, label, error }, at) => {
        const { canvas, caption } = three[at], scene = prepared(canvas);
        caption.textContent = error === null ? label : `${label}: ${error.toFixed(0)} mm`;
        if (!body) return;
        const project = projection(scene, scaleOf(canvas), turned, raised);
        ground(scene.context, body, project);
        skeleton(scene.context, body.map(project), 3);
      });
    }

    choice.addEventListener("change", () => { changed = null; drawAll(); });
    three.forEach(({ canvas }) => {
      canvas.tabIndex = 0;
      turnable(canvas, (about, up) => {
        turned += about;
        raised = Math.max(-1.4, Math.min(1.4, raised + up));
        drawAll();
      });
    });
    if (arms.some(({ lift }) => lift)) draggable(seen.canvas, () => keypoints().map(plane()), (joint, x, y) => {
      if (inTraining()) slider.value = steps;
      const { clientWidth, clientHeight } = seen.canvas, scale = scaleOf(seen.canvas);
      const moved = keypoints().map((place) => [...place]);
      if (joint) moved[joint] = [(x - clientWidth / 2) / scale, (clientHeight / 2 - y) / scale, 0];
      changed = moved;
      drawAll();
    });
    element("rows").append(made);
    return { draw, reset: () => (changed = null), isChanged: () => changed !== null };
  }

  const rows = start.map(row);
  function drawAll() {
    rows.forEach(({ draw }) => draw());
    reset.hidden = !rows.some(({ isChanged }) => isChanged());
    when.textContent = inTraining() ? `after ${Math.round((100 * (Number(slider.value) + 1)) / steps)} % of the epochs` : "weights to use";
    if (seed) seed.parentElement.hidden = !inTraining(); // the weights to use are of the seeds that the text names
  }
  if (slider) {
    slider.max = steps;
    slider.value = steps;
    [...new Set(arms.flatMap(({ history }) => history?.seeds ?? []))].forEach((number) => seed.add(new Option(number)));
    slider.addEventListener("input", () => { rows.forEach((each) => each.reset()); drawAll(); });
    seed.addEventListener("change", drawAll);
  }
  reset.addEventListener("click", () => { rows.forEach((each) => each.reset()); drawAll(); });
  new ResizeObserver(drawAll).observe(element("rows"));
  new MutationObserver(drawAll).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  drawAll();
})();
