"use strict";
// The explorers of the page. All that classifiers say was computed before, at the points of a grid;
// here an image is turned and shifted, and what they say at the chosen point is looked up.

function numbers(text, Kind) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Kind(bytes.buffer);
}

// Matrices [3, 3] as nine numbers, row by row.
function product(a, b) {
  return a.map((_, i) => {
    const row = i - (i % 3), column = i % 3;
    return a[row] * b[column] + a[row + 1] * b[column + 3] + a[row + 2] * b[column + 6];
  });
}

// Up to a factor, which says nothing of a projective map.
function inverse([a, b, c, d, e, f, g, h, i]) {
  return [e * i - f * h, c * h - b * i, b * f - c * e, f * g - d * i, a * i - c * g, c * d - a * f,
    d * h - e * g, b * g - a * h, a * e - b * d];
}

function within(x, size, fill) {
  if (fill === "black") return x;
  if (fill === "reflect") {
    x = (((x + 0.5) % (2 * size)) + 2 * size) % (2 * size);
    x = Math.min(x, 2 * size - x) - 0.5;
  }
  return Math.min(Math.max(x, 0), size - 1);
}

// Moves the content of a picture {width, height, data: RGB} by a matrix about its centre; linear
// between pixels, and beyond the border as `fill` says. The result is wider by `margin` all around.
function moved(picture, matrix, margin, fill) {
  const { width, height, data } = picture;
  const wide = width + 2 * margin, high = height + 2 * margin;
  const result = new Float64Array(wide * high * 3);
  const centerX = (width - 1) / 2, centerY = (height - 1) / 2;
  const [a, b, c, d, e, f, g, h, i] = inverse(matrix);
  const pixel = (x, y, channel) =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : data[(y * width + x) * 3 + channel];
  for (let row = 0; row < high; row++) {
    for (let column = 0; column < wide; column++) {
      const x = column - margin - centerX, y = row - margin - centerY, depth = g * x + h * y + i;
      const fromX = within((a * x + b * y + c) / depth + centerX, width, fill);
      const fromY = within((d * x + e * y + f) / depth + centerY, height, fill);
      const left = Math.floor(fromX), top = Math.floor(fromY);
      const right = fromX - left, down = fromY - top;
      for (let channel = 0; channel < 3; channel++) {
        const upper = pixel(left, top, channel) * (1 - right) + pixel(left + 1, top, channel) * right;
        const lower =
          pixel(left, top + 1, channel) * (1 - right) + pixel(left + 1, top + 1, channel) * right;
        result[(row * wide + column) * 3 + channel] = upper * (1 - down) + lower * down;
      }
    }
  }
  return { width: wide, height: high, data: result };
}

// From blue, rightly classified with a large margin, over white to orange, wrong.
function color(margin, largest) {
  const strength = Math.min(1, Math.sqrt(Math.abs(margin) / largest));
  const [red, green, blue] = margin >= 0 ? [33, 102, 172] : [204, 76, 2];
  const mixed = [red, green, blue].map((part) => Math.round(235 + (part - 235) * (0.25 + 0.75 * strength)));
  return `rgb(${mixed.join(",")})`;
}

class Panel {
  // What one classifier says: at the point, and on a map of all points of the image.
  constructor(element, explorer, said) {
    this.explorer = explorer;
    this.margins = numbers(said.margins, Float32Array);
    this.predictions = numbers(said.predictions, Uint16Array);
    this.verdict = element.querySelector(".verdict");
    this.summary = element.querySelector(".summary");
    this.map = element.querySelector(".map");
    this.map.addEventListener("pointerdown", (event) => {
      const box = this.map.getBoundingClientRect();
      const share = (place, start, length, count) =>
        Math.min(count - 1, Math.max(0, Math.floor(((place - start) / length) * count)));
      explorer.goTo(
        share(event.clientX, box.left, box.width, explorer.columns),
        share(event.clientY, box.top, box.height, explorer.rows)
      );
    });
    this.map.addEventListener("keydown", (event) => explorer.onKey(event));
    const { name, texts } = explorer.data.axes[explorer.across];
    const ticks = { low: texts[0], name, high: texts[texts.length - 1] };
    for (const [tick, text] of Object.entries(ticks)) {
      element.querySelector(`.ticks .${tick}`).textContent = text;
    }
    element.querySelector(".worst").addEventListener("click", () => explorer.show(this.worst));
  }

  get first() {
    return this.explorer.image * this.explorer.points;
  }

  draw() {
    const { explorer, first } = this, { points, data } = explorer;
    const margins = this.margins.subarray(first, first + points);
    this.worst = margins.reduce((best, margin, at) => (margin < margins[best] ? at : best), 0);
    const margin = margins[explorer.point];
    const name = (place) => data.classes[this.predictions[first + place]];
    const right = margin >= 0;
    this.verdict.textContent =
      `${name(explorer.point)} ${right ? "✓" : "✗"}, margin ${margin.toFixed(3)}`;
    this.verdict.classList.toggle("wrong", !right);
    const broken = margins.reduce((count, each) => count + (each < 0), 0);
    this.summary.textContent = `Wrong at ${broken} of ${points} points. Worst: ` +
      `${explorer.caption(this.worst)}: ${name(this.worst)}, margin ${margins[this.worst].toFixed(3)}.`;
    this.drawMap(margins);
  }

  drawMap(margins) {
    const { explorer, map } = this, { columns, rows } = explorer;
    const wide = Math.max(8, Math.floor(372 / columns)), high = Math.max(8, Math.floor(250 / rows));
    map.width = columns * wide;
    map.height = rows * high;
    const context = map.getContext("2d");
    const largest = Math.max(...margins.map(Math.abs), 1e-9);
    const place = (at) => explorer.cell(at).map((number, i) => number * [wide, high][i]);
    margins.forEach((margin, at) => {
      context.fillStyle = color(margin, largest);
      context.fillRect(...place(at), wide, high);
    });
    const frame = (at, style, width) => {
      const [x, y] = place(at);
      context.strokeStyle = style;
      context.lineWidth = width;
      context.strokeRect(x + 1, y + 1, wide - 2, high - 2);
    };
    frame(explorer.point, "#fff", 4);
    frame(explorer.point, "#000", 2);
    const [x, y] = place(this.worst);
    context.lineWidth = 2;
    for (const [style, shift] of [["#fff", 1], ["#000", 0]]) {
      context.strokeStyle = style;
      context.beginPath();
      context.moveTo(x + 2 + shift, y + 2);
      context.lineTo(x + wide - 2 + shift, y + high - 2);
      context.moveTo(x + wide - 2 + shift, y + 2);
      context.lineTo(x + 2 + shift, y + high - 2);
      context.stroke();
    }
  }
}

class Explorer {
  constructor(element) {
    this.data = JSON.parse(element.querySelector(".data").textContent);
    this.counts = this.data.axes.map((axis) => axis.matrices.length);
    this.points = this.counts.reduce((product, count) => product * count, 1);
    // The axis with the most points goes to the right, the others go down.
    this.across = this.counts.indexOf(Math.max(...this.counts));
    this.columns = this.counts[this.across];
    this.rows = this.points / this.columns;
    this.pictures = new Map();
    this.canvas = element.querySelector(".turned");
    this.sliders = [...element.querySelectorAll("input[type=range]")];
    this.sliders.forEach((slider) => slider.addEventListener("input", () => this.draw()));
    this.choices = [...element.querySelectorAll(".choices button")];
    this.choices.forEach((button, number) =>
      button.addEventListener("click", () => this.choose(number)));
    element.querySelector(".original").addEventListener("click", () => this.reset());
    this.panels = [...element.querySelectorAll(".panel")].map(
      (panel, number) => new Panel(panel, this, this.data.classifiers[number]));
    const [across, ...down] = [this.across, ...this.counts.keys()]
      .filter((axis, i, all) => all.indexOf(axis) === i)
      .map((axis) => this.data.axes[axis].name);
    element.querySelector(".legend").textContent =
      `${across} from left to right` + (down.length ? `, and a row for each ${down.join(", ")}` : "");
    this.image = 0;
    this.reset();
    this.choose(0);
  }

  // The sliders' places as the number of a point: the last axis is the fastest.
  get point() {
    return this.sliders.reduce((at, slider, i) => at * this.counts[i] + Number(slider.value), 0);
  }

  places(point) {
    return this.counts.reduceRight((found, count) => {
      found.unshift(point % count);
      point = Math.floor(point / count);
      return found;
    }, []);
  }

  show(point) {
    this.places(point).forEach((place, i) => { this.sliders[i].value = place; });
    this.draw();
  }

  // The column and the row of a point on the map.
  cell(point) {
    const places = this.places(point);
    const row = places.reduce(
      (at, place, i) => (i === this.across ? at : at * this.counts[i] + place), 0);
    return [places[this.across], row];
  }

  goTo(column, row) {
    const places = [];
    for (let i = this.counts.length - 1; i >= 0; i--) {
      if (i === this.across) {
        places[i] = column;
      } else {
        places[i] = row % this.counts[i];
        row = Math.floor(row / this.counts[i]);
      }
    }
    places.forEach((place, i) => { this.sliders[i].value = place; });
    this.draw();
  }

  onKey(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [column, row] = this.cell(this.point);
    const clip = (place, count) => Math.min(count - 1, Math.max(0, place));
    this.goTo(clip(column + step[0], this.columns), clip(row + step[1], this.rows));
  }

  reset() {
    this.sliders.forEach((slider, i) => { slider.value = this.data.axes[i].identity; });
    this.draw();
  }

  choose(number) {
    this.image = number;
    this.choices.forEach((button, i) => button.setAttribute("aria-pressed", String(i === number)));
    this.draw();
  }

  caption(point) {
    return this.places(point)
      .map((place, i) => `${this.data.axes[i].name} ${this.data.axes[i].texts[place]}`).join(", ");
  }

  draw() {
    this.sliders.forEach((slider, i) => {
      const text = this.data.axes[i].texts[slider.value];
      slider.nextElementSibling.textContent = text;
      slider.setAttribute("aria-valuetext", text);
    });
    this.panels.forEach((panel) => panel.draw());
    this.drawImage();
  }

  async drawImage() {
    const number = this.image, shown = await this.picture(number);
    if (number !== this.image) return;
    const places = this.places(this.point), { steps, fill, margin } = this.data;
    const last = steps.length - 1;
    let picture = shown;
    steps.forEach((axes, step) => {
      const matrices = axes.map((axis) => this.data.axes[axis].matrices[places[axis]]);
      const size = step < last ? margin : step ? -margin : 0;
      // What lies around a picture that was made wider is not seen.
      picture = moved(picture, matrices.reduce(product), size, step ? "black" : fill);
    });
    const image = new ImageData(picture.width, picture.height);
    for (let pixel = 0; pixel < picture.width * picture.height; pixel++) {
      for (let channel = 0; channel < 3; channel++) {
        image.data[pixel * 4 + channel] = Math.round(picture.data[pixel * 3 + channel]);
      }
      image.data[pixel * 4 + 3] = 255;
    }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    this.canvas.dataset.point = this.point;
  }

  async picture(number) {
    if (!this.pictures.has(number)) {
      const { width, height } = this.data, image = this.choices[number].querySelector("img");
      await image.decode();
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      const pixels = context.getImageData(0, 0, width, height).data;
      const data = new Float64Array(width * height * 3);
      for (let i = 0; i < width * height; i++) {
        for (let channel = 0; channel < 3; channel++) data[i * 3 + channel] = pixels[i * 4 + channel];
      }
      this.pictures.set(number, { width, height, data });
    }
    return this.pictures.get(number);
  }
}

document.querySelectorAll(".explorer").forEach((element) => new Explorer(element));
