"use strict";
// Skeletons on canvases, as all pages draw them.
const numbers = (text, Kind) => new Kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);

// A canvas without its old content, in units of the page's pixels.
function prepared(canvas) {
  const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

// Draws joints at places [x, y, nearness]; `hollow` joints were missing, `rings` are radii of shadows around them.
function skeletonOf({ bones, joints, colours }) {
  const side = (name) => (name.startsWith("l_") ? "left" : name.startsWith("r_") ? "right" : "middle");
  return (context, places, width, hollow = [], rings = []) => {
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
    const [shadow, paper] = [ink("--ink"), ink("--paper")];
    places.forEach(([x, y], joint) => {
      if (rings[joint] > 2) {
        context.globalAlpha = 0.18;
        context.fillStyle = shadow;
        context.beginPath();
        context.arc(x, y, rings[joint], 0, 7);
        context.fill();
        context.globalAlpha = 1;
      }
      context.beginPath();
      context.arc(x, y, width, 0, 7);
      context.fillStyle = hollow[joint] ? paper : colours[side(joints[joint])];
      context.fill();
      if (!hollow[joint]) return;
      context.lineWidth = 1.5;
      context.strokeStyle = colours[side(joints[joint])];
      context.stroke();
    });
  };
}

// A view of poses that are relative to their root: turned about the vertical, seen from above by an angle; and a ring on the ground.
function projection({ width, height }, scale, turned, raised) {
  const [cosT, sinT, cosR, sinR] = [Math.cos(turned), Math.sin(turned), Math.cos(raised), Math.sin(raised)];
  return ([x, y, z]) => {
    const across = x * cosT + z * sinT, towards = -x * sinT + z * cosT;
    return [width / 2 + across * scale, height / 2 - (y * cosR - towards * sinR) * scale, y * sinR + towards * cosR];
  };
}

function ground(context, pose, project) {
  const height = Math.min(...pose.map(([, y]) => y));
  context.strokeStyle = ink("--rule");
  context.lineWidth = 1;
  context.beginPath();
  for (let angle = 0; angle <= 64; angle++) {
    const [x, y] = project([450 * Math.cos((angle / 32) * Math.PI), height, 450 * Math.sin((angle / 32) * Math.PI)]);
    context.lineTo(x, y);
  }
  context.stroke();
}

// Calls `turn` with angles while a canvas is dragged, or its arrow keys are pressed.
function turnable(canvas, turn) {
  let last = null;
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); last = [event.offsetX, event.offsetY]; });
  canvas.addEventListener("pointermove", (event) => {
    if (!last || !canvas.hasPointerCapture(event.pointerId)) return;
    turn((event.offsetX - last[0]) / 120, (event.offsetY - last[1]) / 160);
    last = [event.offsetX, event.offsetY];
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.1, ArrowRight: 0.1 }[event.key];
    if (!step) return;
    event.preventDefault();
    turn(step, 0);
  });
}

// Lets the joints of a drawn pose be dragged: `places()` has them, `moved(joint, x, y)` is told where one goes.
function draggable(canvas, places, moved) {
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    const distances = places().map(([x, y]) => Math.hypot(x - event.offsetX, y - event.offsetY));
    const nearest = distances.indexOf(Math.min(...distances));
    if (distances[nearest] > 24) return;
    held = nearest;
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (held !== null && canvas.hasPointerCapture(event.pointerId)) moved(held, event.offsetX, event.offsetY);
  });
  canvas.addEventListener("pointerup", () => (held = null));
}
