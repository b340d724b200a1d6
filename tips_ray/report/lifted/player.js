"use strict";
(() => {
  const { clips, bones, joints, colours, lifter, fps } = JSON.parse(document.getElementById("content").textContent);
  const element = (id) => document.getElementById(id);
  const [image, body, timeline] = ["image", "body", "timeline"].map(element);
  const [play, scrubber, when, choice, speed, reset] = ["play", "frame", "when", "clip", "speed", "reset"].map(element);
  const lift = lifter && lifterOf(lifter), skeleton = skeletonOf({ bones, joints, colours });
  const NUM = joints.length;
  let clip, at = 0, playing = false, started = 0, turned = 0.5, raised = 0.15, changed = null;

  function opened({ keypoints, unit, poses, spread, missing, frames, ...rest }) {
    return { ...rest, unit, frames: numbers(frames, Float64Array), keypoints: numbers(keypoints, Int16Array), poses: numbers(poses, Int16Array), spread: numbers(spread, Uint8Array), missing: numbers(missing, Uint8Array) };
  }

  const point = (values, frame, joint, axes) => Array.from({ length: axes }, (_, axis) => values[(frame * NUM + joint) * axes + axis]);
  const seen = (frame) => joints.map((_, joint) => point(clip.keypoints, frame, joint, 2).map((value) => value * clip.unit));
  const pose = (frame) => joints.map((_, joint) => point(clip.poses, frame, joint, 3));

  // What half a canvas has room for twice: nearly all poses of the clip, and the one that is shown.
  const reach = () => Math.max(clip.reach, 2.2 * Math.max(...pose(at).map((place) => Math.hypot(...place))));

  // From the unit of the keypoints to the canvas, y down: the pelvis in the middle, the body as large as the pose beside it.
  function onImage({ width, height }) {
    const scale = (Math.min(width, height) / reach()) * clip.mm;
    const [across, up] = seen(at)[0];
    return {
      place: ([x, y]) => [width / 2 + (x - across) * scale, height / 2 - (y - up) * scale, 0],
      back: (x, y) => [(x - width / 2) / scale + across, (height / 2 - y) / scale + up],
    };
  }

  function current() {
    if (changed) return changed;
    const keypoints = seen(at);
    return { keypoints, pose: pose(at), spread: joints.map((_, joint) => clip.spread[at * NUM + joint] * clip.spreadUnit) };
  }

  function draw() {
    const now = current();
    const hollow = joints.map((_, joint) => clip.missing[at * NUM + joint]);
    const flat = prepared(image), { place } = onImage(flat);
    if (clip.image) {
      const corners = [place([0, 0]), place([clip.image[0], -clip.image[1]])];
      flat.context.strokeStyle = ink("--rule");
      flat.context.lineWidth = 1;
      flat.context.strokeRect(corners[0][0], corners[0][1], corners[1][0] - corners[0][0], corners[1][1] - corners[0][1]);
    }
    skeleton(flat.context, now.keypoints.map(place), 3, hollow);
    const scene = prepared(body), scale = Math.min(scene.width, scene.height) / reach();
    const project = projection(scene, scale, turned, raised);
    const root = now.pose[0], relative = now.pose.map((place) => place.map((value, axis) => value - root[axis]));
    ground(scene.context, relative, project);
    skeleton(scene.context, relative.map(project), 4, hollow, now.spread?.map((value) => value * scale));
    marker();
    scrubber.value = at;
    const mean = now.spread ? now.spread.reduce((a, b) => a + b, 0) / NUM : null;
    const uncertain = mean === null ? "" : `, joints move by ${mean.toFixed(0)} mm between views`;
    when.textContent = `frame ${clip.frames[at]} (${at + 1} of ${clip.frames.length})${uncertain}${changed ? ", changed by hand" : ""}`;
    scrubber.setAttribute("aria-valuetext", when.textContent);
    reset.hidden = !changed;
  }

  function marker() {
    const { context, width, height } = prepared(timeline), { most, frames: { length: count } } = clip;
    context.fillStyle = ink("--rule");
    for (let x = 0; x < width; x++) {
      const value = clip.means[Math.min(count - 1, Math.floor((x / width) * count))];
      context.fillRect(x, height - (value / most) * height, 1, (value / most) * height);
    }
    context.fillStyle = ink("--accent");
    context.fillRect((at / Math.max(1, count - 1)) * (width - 2), 0, 2, height);
  }

  function open(number) {
    clip = opened(clips[number]);
    const count = clip.frames.length;
    clip.means = Array.from({ length: count }, (_, frame) => {
      let total = 0;
      for (let joint = 0; joint < NUM; joint++) total += clip.spread[frame * NUM + joint];
      return (total / NUM) * clip.spreadUnit;
    });
    clip.most = clip.means.reduce((one, other) => Math.max(one, other), 1);
    scrubber.max = count - 1;
    at = 0;
    changed = null;
    draw();
  }

  function tick(time) {
    if (!playing) return;
    const frame = Math.floor(((time - started) / 1000) * fps * Number(speed.value));
    if (frame >= clip.frames.length) started = time;
    at = frame % clip.frames.length;
    draw();
    requestAnimationFrame(tick);
  }

  function setPlaying(on) {
    playing = on;
    changed = null;
    play.textContent = on ? "Pause" : "Play";
    if (!on) return;
    started = performance.now() - (at / fps / Number(speed.value)) * 1000;
    requestAnimationFrame(tick);
  }

  play.addEventListener("click", () => setPlaying(!playing));
  speed.addEventListener("change", () => setPlaying(playing));
  reset.addEventListener("click", () => { changed = null; draw(); });
  scrubber.addEventListener("input", () => { setPlaying(false); at = Number(scrubber.value); draw(); });
  choice.addEventListener("change", () => { setPlaying(false); open(choice.selectedIndex); });
  timeline.addEventListener("pointerdown", (event) => {
    setPlaying(false);
    at = Math.min(clip.frames.length - 1, Math.floor((event.offsetX / timeline.clientWidth) * clip.frames.length));
    draw();
  });

  turnable(body, (about, up) => {
    turned += about;
    raised = Math.max(-1.4, Math.min(1.4, raised + up));
    if (!playing) draw();
  });

  // A joint that is dragged on the image changes the 2D pose, and the lifter answers at once.
  const plane = () => onImage({ width: image.clientWidth, height: image.clientHeight });
  if (lift) draggable(image, () => current().keypoints.map(plane().place), (joint, x, y) => {
    if (playing) setPlaying(false);
    const keypoints = current().keypoints.map((place) => [...place]);
    keypoints[joint] = plane().back(x, y);
    const relative = keypoints.slice(1).map(([x, y]) => [(x - keypoints[0][0]) * clip.mm, (y - keypoints[0][1]) * clip.mm]);
    const depth = lift(relative);
    changed = { keypoints, pose: [[0, 0, 0], ...relative.map(([x, y], joint) => [x, y, depth[joint]])], spread: null };
    draw();
  });

  new ResizeObserver(draw).observe(body);
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  open(0);
})();
