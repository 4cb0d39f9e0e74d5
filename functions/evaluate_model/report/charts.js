"use strict";
(() => {
  const given = JSON.parse(document.getElementById("numbers").textContent);
  const {curves, residuals, threshold} = given;
  const root = document.documentElement;
  root.classList.add("scripted");

  const color = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const percent = (value) => value == null ? "–" : (100 * value).toFixed(value > 0 && value < 0.1 ? 1 : 0) + "%";
  const whole = (value) => value == null ? "–" : value.toLocaleString("en-US");
  const amount = (value) => value == null ? "–" : value.toLocaleString("en-US", {maximumSignificantDigits: 4});
  const compact = new Intl.NumberFormat("en-US", {notation: "compact", maximumSignificantDigits: 4});
  const short = (value) => value === 0 ? "0" : Math.abs(value) < 0.001 ? value.toExponential(1) : compact.format(value);
  const ticks = (format) => (chart, values) => values.map(format);

  const axis = (label, format, size, space) => ({
    label, labelSize: 20, labelGap: 2, size, gap: 4, space, stroke: color("soft"), font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif",
    grid: {stroke: color("line"), width: 1}, ticks: {stroke: color("line"), width: 1, size: 4}, values: ticks(format),
  });
  const axes = (x, y, formatX, formatY) => [axis(x, formatX, 30, 56), axis(y, formatY, 48, 34)];
  const line = (label, name, format, more) => ({label, stroke: color(name), width: 2, points: {show: false}, value: (_, value) => format(value), ...more});
  const dashed = (label, format) => line(label, "soft", format, {width: 1, dash: [5, 5]});
  const dots = (label, name, format, more) => line(label, name, format, {paths: () => null, width: 0, points: {show: true, size: 6, fill: color(name), stroke: color(name)}, ...more});
  const bars = (label, name, format, where) => line(label, name, format, {
    width: 0, fill: color(name), paths: uPlot.paths.bars({size: [where ? 0.42 : 0.92], align: where}), points: {show: false},
  });
  const unit = {time: false, range: [0, 1]};
  const x = (label, format) => ({label, value: (_, value) => format(value)});
  const middles = (edges) => edges.slice(1).map((edge, index) => (edge + edges[index]) / 2);

  /* Draws the points of two series one over the other on one axis of x, which uPlot wants sorted. */
  const sorted = (xs, ...columns) => {
    const order = xs.map((_, index) => index).sort((a, b) => xs[a] - xs[b]);
    return [xs, ...columns].map((column) => order.map((index) => column[index]));
  };
  const yes = given.positive;
  const bins = given.confidence ?? curves?.scores;
  const hits = given.confidence ? "right" : "positives";
  const square = (xs, ys, label, chance, titles, title) => ({
    data: [xs, ys, chance], axes: axes(...titles, percent, percent), scales: {x: unit, y: unit},
    series: [x(titles[0], percent), line(label, "mark", percent, {fill: color("wash")}), dashed(title, percent)],
  });
  const kinds = {
    gains: () => {
      const {shares_of_rows: rows, shares_of_positives: held} = curves.gains;
      return square(rows, held, "Model", rows, ["Share of rows, highest probability first", "Share of " + yes + " found"], "Random");
    },
    roc: () => {
      const {false_positive_rates: fallout, true_positive_rates: recall} = curves.roc;
      return square(fallout, recall, "Model", fallout, ["False positive rate", "True positive rate"], "Chance");
    },
    "precision-recall": () => {
      const {recalls, precisions} = curves.precision_recall;
      const sum = (name) => bins.reduce((total, bin) => total + bin[name], 0);
      const chance = sum("positives") / sum("rows");
      return square(recalls, precisions, "Model", recalls.map(() => chance), ["Recall", "Precision"], "Chance");
    },
    calibration: () => {
      const drawn = bins.filter((bin) => bin.rows >= 10);
      const ends = [0, ...drawn.map((bin) => bin.mean_probability), 1];
      return {data: [ends, [null, ...drawn.map((bin) => bin[hits] / bin.rows), null], ends],
        axes: axes("Probability given", "Share that came true", percent, percent), scales: {x: unit, y: unit},
        series: [x("Probability", percent), line("Came true", "mark", percent, {points: {show: true, size: 7, fill: color("mark")}}), dashed("Agreement", percent)]};
    },
    scores: () => {
      const names = yes === null ? ["Right", "Wrong"] : [yes, "All others"];
      return {data: [bins.map((bin) => (bin.from + bin.to) / 2), bins.map((bin) => bin[hits]), bins.map((bin) => bin.rows - bin[hits])],
        axes: axes("Probability", "Rows", percent, short), scales: {x: unit, y: {range: (_, low, high) => [0, high * 1.05 || 1]}},
        series: [x("Around", percent), bars(names[0], "mark", whole, 1), bars(names[1], "other", whole, -1)]};
    },
    trade: () => {
      const at = threshold.curve.map(worth);
      return {data: [threshold.curve.map((point) => point.threshold), at.map((one) => one.precision), at.map((one) => one.recall), at.map((one) => one.f1)],
        axes: axes("Threshold", "", percent, percent), scales: {x: unit, y: unit},
        series: [x("Threshold", percent), line("Precision", "mark", percent), line("Recall", "other", percent), line("F1", "third", percent)],
        hooks: {draw: [(chart) => marker(chart, cut())]}};
    },
    points: () => {
      const {sample, target_quantiles: inner} = residuals;
      const room = (inner["0.99"] - inner["0.01"]) * 0.1 || Math.abs(inner["0.5"]) * 0.1 || 1;
      const limits = [inner["0.01"] - room, inner["0.99"] + room];
      const shown = sample.filter((pair) => pair.every((value) => value >= limits[0] && value <= limits[1]));
      const ends = {time: false, range: limits};
      const [truth, said] = [0, 1].map((index) => shown.map((pair) => pair[index]));
      return {data: sorted([...limits, ...truth], [null, null, ...said], [...limits, ...truth]), axes: axes("True value", "Predicted", short, short),
        scales: {x: ends, y: ends}, series: [x("True", amount), dots("Predicted", "dot", amount, {points: {show: true, size: 5, fill: color("dot"), width: 0}}), dashed("Agreement", amount)]};
    },
    residuals: () => {
      const {edges, rows} = residuals.histogram;
      return {data: [middles(edges), rows], axes: axes("Error, in the target's unit", "Rows", short, short),
        scales: {x: {time: false, range: [edges[0], edges[edges.length - 1]]}, y: {range: (_, low, high) => [0, high * 1.05 || 1]}},
        series: [x("Around", amount), bars("Rows", "mark", whole)], hooks: {draw: [(chart) => marker(chart, 0)]}};
    },
    "by-prediction": () => {
      const column = (name) => residuals.by_prediction.map((group) => group[name]);
      return {data: sorted(column("median_prediction"), column("low"), column("median"), column("high")), axes: axes("Prediction", "Error", short, short),
        scales: {x: {time: false}}, bands: [{series: [3, 1], fill: color("wash")}],
        series: [x("Prediction", amount), line("5% below", "soft", amount, {width: 1}), line("Median", "mark", amount, {points: {show: true, size: 6, fill: color("mark")}}), line("5% above", "soft", amount, {width: 1})],
        hooks: {draw: [(chart) => level(chart, 0)]}};
    },
  };

  const stroke = (chart, from, to) => {
    const {ctx} = chart;
    ctx.save();
    ctx.strokeStyle = color("ink");
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(...from);
    ctx.lineTo(...to);
    ctx.stroke();
    ctx.restore();
  };
  const marker = (chart, value) => {
    const at = chart.valToPos(value, "x", true), {left, top, width, height} = chart.bbox;
    if (at >= left && at <= left + width) stroke(chart, [at, top], [at, top + height]);
  };
  const level = (chart, value) => {
    const at = chart.valToPos(value, "y", true), {left, top, width, height} = chart.bbox;
    if (at >= top && at <= top + height) stroke(chart, [left, at], [left + width, at]);
  };

  const drawn = new Map();
  const height = (width) => Math.round(Math.min(Math.max(width * 0.62, 220), 320));
  const draw = (place) => {
    drawn.get(place)?.destroy();
    const {data, ...options} = kinds[place.dataset.chart]();
    const width = Math.floor(place.clientWidth);
    drawn.set(place, new uPlot({...options, width, height: height(width), cursor: {drag: {x: false, y: false}, points: {size: 7}}, legend: {show: true}}, data, place));
  };
  const drawAll = () => document.querySelectorAll("[data-chart]").forEach(draw);

  /* The threshold's slider. */
  const input = (id) => document.getElementById(id);
  const cut = () => Number(input("cut").value) / 100;
  const worth = ({true_positives: tp, false_positives: fp, false_negatives: fn}) => ({
    precision: tp + fp ? tp / (tp + fp) : null, recall: tp + fn ? tp / (tp + fn) : null, f1: 2 * tp + fp + fn ? 2 * tp / (2 * tp + fp + fn) : null,
  });
  const price = (id) => Math.max(Number(input(id).value) || 0, 0);
  const cost = (point) => point.false_positives * price("cost-fp") + point.false_negatives * price("cost-fn");
  const show = () => {
    const point = threshold.curve.find((one) => Math.abs(one.threshold - cut()) < 1e-9);
    const at = worth(point), least = threshold.curve.reduce((best, one) => cost(one) < cost(best) ? one : best);
    const write = (id, text) => { input(id).textContent = text; };
    const score = (value) => value === null ? "–" : value.toFixed(3);
    write("at", cut().toFixed(2));
    write("tp", whole(point.true_positives));
    write("tp-note", "of " + whole(point.true_positives + point.false_negatives) + "; " + whole(point.false_negatives) + " missed");
    write("fp", whole(point.false_positives));
    write("fp-note", "of " + whole(point.false_positives + point.true_negatives) + " others");
    for (const name of ["precision", "recall", "f1"]) write(name, score(at[name]));
    write("cost", amount(cost(point)));
    write("cost-note", "least: " + amount(cost(least)) + " at " + least.threshold);
    drawn.get(document.querySelector("[data-chart=trade]"))?.redraw(false);
  };

  if (input("cut")) {
    input("cut").value = Math.round(100 * (threshold.applied ?? 0.5));
    input("cost-fp").value = threshold.cost_false_positive ?? 1;
    input("cost-fn").value = threshold.cost_false_negative ?? 1;
    ["cut", "cost-fp", "cost-fn"].forEach((id) => input(id).addEventListener("input", show));
  }
  drawAll();
  if (input("cut")) show();

  document.querySelectorAll("[data-chart]").forEach((place) => new ResizeObserver(() => {
    const chart = drawn.get(place), width = Math.floor(place.clientWidth);
    if (chart && width && chart.width !== width) chart.setSize({width, height: height(width)});
  }).observe(place));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("beforeprint", () => { root.classList.add("paper"); drawAll(); });
  addEventListener("afterprint", () => { root.classList.remove("paper"); drawAll(); });
})();
