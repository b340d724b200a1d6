"use strict";
(() => {
  const { clips, bones, joints, colours, lifter, fps } = JSON.parse(document.getElementById("content").textContent);
  const element = (id) => document.getElementById(id);
  const [image, body, timeline] = ["image", "body", "timeline"].map(element);
  const [play, scrubber, when, choice, speed, reset] = ["play", "frame", "when", "clip", "speed", "reset"].map(element);
  const lift = lifter && lifterOf(lifter);
  const NUM = joints.length;
  let clip, at = 0, playing = false, started = 0, turned = 0.5, raised = 0.15, dragged = null, changed = null;

  function opened({ keypoints, unit, poses, spread, missing, frames, ...rest }) {
    return { ...rest, unit, frames: numbers(frames, Int32Array), keypoints: numbers(keypoints, Int16Array), poses: numbers(poses, Int16Array), spread: numbers(spread, Uint8Array), missing: numbers(missing, Uint8Array) };
  }

  const point = (values, frame, joint, axes) => Array.from({ length: axes }, (_, axis) => values[(frame * NUM + joint) * axes + axis]);
  const seen = (frame) => joints.map((_, joint) => point(clip.keypoints, frame, joint, 2).map((value) => value * clip.unit));
  const pose = (frame) => joints.map((_, joint) => point(clip.poses, frame, joint, 3));

  function prepared(canvas) {
    const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = canvas;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return { context, width, height };
  }

  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
  const side = (name) => (name.startsWith("l_") ? "left" : name.startsWith("r_") ? "right" : "middle");

  function skeleton(context, places, width, hollow, rings) {
    const order = bones.map(([from, to]) => [from, to, (places[from][2] + places[to][2]) / 2]).sort((a, b) => a[2] - b[2]);
    context.lineCap = "round";
    for (const [from, to] of order) {
      context.strokeStyle = colours[side(joints[to])];
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(places[from][0], places[from][1]);
      context.lineTo(places[to][0], places[to][1]);
      context.stroke();
    }
    places.forEach(([x, y], joint) => {
      if (rings && rings[joint] > 2) {
        context.globalAlpha = 0.18;
        context.fillStyle = ink("--ink");
        context.beginPath();
        context.arc(x, y, rings[joint], 0, 7);
        context.fill();
        context.globalAlpha = 1;
      }
      context.beginPath();
      context.arc(x, y, width, 0, 7);
      context.fillStyle = hollow[joint] ? ink("--paper") : colours[side(joints[joint])];
      context.fill();
      if (!hollow[joint]) return;
      context.lineWidth = 1.5;
      context.strokeStyle = colours[side(joints[joint])];
      context.stroke();
    });
  }

  // From the unit of the keypoints to the canvas, y down: the pelvis in the middle, the body as large as the pose beside it.
  function onImage({ width, height }) {
    const scale = (Math.min(width, height) / clip.reach) * clip.mm;
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
    const plane = prepared(image), view = onImage(plane);
    if (clip.image) {
      const corners = [view.place([0, 0]), view.place([clip.image[0], -clip.image[1]])];
      plane.context.strokeStyle = ink("--rule");
      plane.context.lineWidth = 1;
      plane.context.strokeRect(corners[0][0], corners[0][1], corners[1][0] - corners[0][0], corners[1][1] - corners[0][1]);
    }
    skeleton(plane.context, now.keypoints.map(view.place), 3, hollow);
    const scene = prepared(body), scale = Math.min(scene.width, scene.height) / clip.reach;
    const [cosT, sinT, cosR, sinR] = [Math.cos(turned), Math.sin(turned), Math.cos(raised), Math.sin(raised)];
    const project = ([x, y, z]) => {
      const across = x * cosT + z * sinT, towards = -x * sinT + z * cosT;
      return [scene.width / 2 + across * scale, scene.height / 2 - (y * cosR - towards * sinR) * scale, y * sinR + towards * cosR];
    };
    const root = now.pose[0], relative = now.pose.map((place) => place.map((value, axis) => value - root[axis]));
    const ground = Math.min(...relative.map(([, y]) => y));
    scene.context.strokeStyle = ink("--rule");
    scene.context.lineWidth = 1;
    scene.context.beginPath();
    for (let angle = 0; angle <= 64; angle++) {
      const [x, y] = project([450 * Math.cos((angle / 32) * Math.PI), ground, 450 * Math.sin((angle / 32) * Math.PI)]);
      scene.context.lineTo(x, y);
    }
    scene.context.stroke();
    skeleton(scene.context, relative.map(project), 4, hollow, now.spread && now.spread.map((value) => value * scale));
    marker();
    scrubber.value = at;
    const mean = now.spread ? now.spread.reduce((a, b) => a + b, 0) / NUM : null;
    const uncertain = mean === null ? "" : `, joints move by ${mean.toFixed(0)} mm between views`;
    when.textContent = `frame ${clip.frames[at]} (${at + 1} of ${clip.frames.length})${uncertain}${changed ? ", changed by hand" : ""}`;
    scrubber.setAttribute("aria-valuetext", when.textContent);
    reset.hidden = !changed;
  }

  function marker() {
    const { context, width, height } = prepared(timeline), count = clip.frames.length;
    const most = Math.max(...clip.means, 1);
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

  body.addEventListener("pointerdown", (event) => { body.setPointerCapture(event.pointerId); dragged = [event.offsetX, event.offsetY]; });
  body.addEventListener("pointermove", (event) => {
    if (!dragged || !body.hasPointerCapture(event.pointerId)) return;
    turned += (event.offsetX - dragged[0]) / 120;
    raised = Math.max(-1.4, Math.min(1.4, raised + (event.offsetY - dragged[1]) / 160));
    dragged = [event.offsetX, event.offsetY];
    if (!playing) draw();
  });
  body.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.1, ArrowRight: 0.1 }[event.key];
    if (!step) return;
    event.preventDefault();
    turned += step;
    draw();
  });

  // A joint that is dragged on the image changes the 2D pose, and the lifter answers at once.
  let held = null;
  image.addEventListener("pointerdown", (event) => {
    if (!lift) return;
    const places = current().keypoints.map(onImage({ width: image.clientWidth, height: image.clientHeight }).place);
    const distances = places.map(([x, y]) => Math.hypot(x - event.offsetX, y - event.offsetY));
    const nearest = distances.indexOf(Math.min(...distances));
    if (distances[nearest] > 24) return;
    if (playing) setPlaying(false);
    held = nearest;
    image.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  image.addEventListener("pointermove", (event) => {
    if (held === null || !image.hasPointerCapture(event.pointerId)) return;
    const keypoints = current().keypoints.map((place) => [...place]);
    keypoints[held] = onImage({ width: image.clientWidth, height: image.clientHeight }).back(event.offsetX, event.offsetY);
    const relative = keypoints.slice(1).map(([x, y]) => [(x - keypoints[0][0]) * clip.mm, (y - keypoints[0][1]) * clip.mm]);
    const depth = lift(relative);
    changed = { keypoints, pose: [[0, 0, 0], ...relative.map(([x, y], joint) => [x, y, depth[joint]])], spread: null };
    draw();
  });
  image.addEventListener("pointerup", () => (held = null));

  new ResizeObserver(draw).observe(body);
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  open(0);
})();
