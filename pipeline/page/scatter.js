// Gain against misfit, one view at a time; pointer and arrow keys name the nearest or the next cell.
(() => {
  const { views, colours, markers } = JSON.parse(document.getElementById("points").textContent);
  const triangle = (path, size, up) => {
    const half = Math.sqrt(size / Math.sqrt(3));
    path.moveTo(0, -1.15 * half * up);
    path.lineTo(half, 0.58 * half * up);
    path.lineTo(-half, 0.58 * half * up);
    path.closePath();
  };
  const diamond = (path, size) => {
    const half = Math.sqrt(size / 2);
    path.moveTo(0, -half);
    [[half, 0], [0, half], [-half, 0]].forEach(([x, y]) => path.lineTo(x, y));
    path.closePath();
  };
  // The same marks as in the figures, by matplotlib's letters.
  const shapes = {
    o: d3.symbolCircle, s: d3.symbolSquare, D: { draw: diamond }, P: d3.symbolCross, X: d3.symbolStar,
    "^": { draw: (path, size) => triangle(path, size, 1) }, v: { draw: (path, size) => triangle(path, size, -1) },
  };
  const margin = { top: 10, right: 12, bottom: 46, left: 56 };
  const names = ["experiment", "panel", "weak", "strong", "task", "seed", "split", "gain", "misfit"];
  const [picker, plot, cell, key] = ["view", "plot", "cell", "key"].map((id) => document.getElementById(id));
  const hint = document.getElementById("hint");
  const download = document.getElementById("cells");

  // A column is written once where all cells share it.
  const cells = (view) => d3.range(view.shown).map((place) => {
    const row = { panel: view.label };
    Object.entries(view.columns).forEach(([name, column]) => { row[name] = Array.isArray(column) ? column[place] : column; });
    return row;
  });

  const named = (row) => names.filter((name) => row[name] !== null && row[name] !== undefined);
  const described = (row) => named(row).map((name) => `${name} ${row[name]}`).join(", ");

  // One scale for both axes, so that the line of equality is the diagonal; the shorter axis is given room.
  const scales = (rows, width, height) => {
    const [gain, misfit] = ["gain", "misfit"].map((name) => d3.extent([0, ...rows.map((row) => row[name])]));
    const unit = 1.08 * Math.max((gain[1] - gain[0]) / width, (misfit[1] - misfit[0]) / height);
    const ends = ([low, high], length) => [(low + high - unit * length) / 2, (low + high + unit * length) / 2];
    return {
      x: d3.scaleLinear().domain(ends(gain, width)).range([0, width]),
      y: d3.scaleLinear().domain(ends(misfit, height)).range([height, 0]),
    };
  };

  const axes = (frame, { x, y }, view, width, height) => {
    frame.append("g").attr("class", "axis").attr("aria-hidden", "true").attr("transform", `translate(0,${height})`).call(d3.axisBottom(x).ticks(width / 90).tickSizeOuter(0));
    frame.append("g").attr("class", "axis").attr("aria-hidden", "true").call(d3.axisLeft(y).ticks(height / 60).tickSizeOuter(0));
    const title = (text) => frame.append("text").attr("class", "name").attr("aria-hidden", "true").attr("text-anchor", "middle").text(text);
    title(view.axes.gain).attr("x", width / 2).attr("y", height + 38);
    title(view.axes.misfit).attr("transform", `translate(-44,${height / 2}) rotate(-90)`);
    const low = Math.max(x.domain()[0], y.domain()[0]);
    const high = Math.min(x.domain()[1], y.domain()[1]);
    frame.append("line").attr("class", "equal").attr("x1", x(low)).attr("y1", y(low)).attr("x2", x(high)).attr("y2", y(high));
  };

  const style = (values) => {
    const order = [...new Set(values)].sort((a, b) => a - b);
    return (value, size) => {
      const place = order.indexOf(value);
      return { d: d3.symbol().type(shapes[markers[place % markers.length]]).size(size)(), fill: colours[place % colours.length], order };
    };
  };

  const legend = (rows, view, look) => {
    const values = look(rows[0][view.series], 40).order;
    key.replaceChildren(...values.map((value) => {
      const item = document.createElement("li");
      const mark = d3.select(item).append("svg").attr("viewBox", "-7 -7 14 14").attr("aria-hidden", "true").append("path");
      const { d, fill } = look(value, 64);
      mark.attr("d", d).attr("fill", fill);
      item.append(`${view.series} ${value}`);
      return item;
    }));
  };

  const describe = (row) => {
    cell.replaceChildren(...named(row).flatMap((name) => ["dt", "dd"].map((tag) => {
      const part = document.createElement(tag);
      part.textContent = tag === "dt" ? name : row[name];
      return part;
    })));
    hint.hidden = true;
  };

  const words = (view, rows) => {
    const over = rows.filter((row) => row.misfit > row.gain).length;
    return `Scatter of misfit against gain, ${view.group}, ${view.label}: ${rows.length} cells, misfit above gain in ${over}. Arrow keys go from cell to cell.`;
  };

  function draw() {
    const view = views.find((each) => each.name === picker.value);
    const rows = cells(view);
    const whole = plot.clientWidth;
    const [width, height] = [whole - margin.left - margin.right, Math.round(Math.max(0.72 * whole, 280)) - margin.top - margin.bottom];
    const { x, y } = scales(rows, width, height);
    const look = style(rows.map((row) => row[view.series]));
    plot.replaceChildren();
    const svg = d3.select(plot).append("svg").attr("viewBox", `0 0 ${whole} ${height + margin.top + margin.bottom}`)
      .attr("role", "group").attr("aria-label", words(view, rows));
    const frame = svg.append("g").attr("transform", `translate(${margin.left},${margin.top})`);
    axes(frame, { x, y }, view, width, height);
    const points = frame.append("g").attr("class", "points").selectAll("path").data(rows).enter().append("path").attr("class", "point").attr("role", "img").attr("tabindex", -1)
      .attr("aria-label", described).attr("transform", (row) => `translate(${x(row.gain)},${y(row.misfit)})`)
      .each(function (row) { const { d, fill } = look(row[view.series], 42); this.setAttribute("d", d); this.setAttribute("fill", fill); }).nodes();
    const ring = frame.append("circle").attr("class", "ring").attr("r", 9).attr("visibility", "hidden");
    const mark = (place) => {
      points.forEach((point, each) => { point.classList.toggle("named", each === place); point.setAttribute("tabindex", each === place ? 0 : -1); });
      ring.attr("visibility", "visible").attr("cx", x(rows[place].gain)).attr("cy", y(rows[place].misfit));
      describe(rows[place]);
    };
    listen(svg, frame, points, rows, { x, y }, mark);
    legend(rows, view, look);
    cell.replaceChildren();
    hint.hidden = false;
    document.getElementById("shown").textContent = view.shown < view.cells
      ? `${view.shown} of ${view.cells} cells are drawn, evenly thinned; the downloads beside the figures hold all.` : `All ${view.cells} cells.`;
    download.href = `data:text/csv;charset=utf-8,${encodeURIComponent(d3.csvFormat(rows, names))}`;
    download.download = `${view.name}.csv`;
  }

  function listen(svg, frame, points, rows, { x, y }, mark) {
    const tree = d3.quadtree(d3.range(rows.length), (place) => x(rows[place].gain), (place) => y(rows[place].misfit));
    const along = (name) => d3.range(rows.length).sort((a, b) => rows[a][name] - rows[b][name]);
    const [gains, misfits] = [along("gain"), along("misfit")];
    const step = { ArrowLeft: [gains, -1], ArrowRight: [gains, 1], ArrowDown: [misfits, -1], ArrowUp: [misfits, 1], Home: [gains, -Infinity], End: [gains, Infinity] };
    svg.on("pointermove pointerdown", () => {
      const found = tree.find(...d3.mouse(frame.node()), 30);
      if (found !== undefined) mark(found);
    });
    // On the element around the drawing: an SVG that listens for focus would itself become a stop of the Tab key.
    d3.select(plot).on("focusin", () => {
      const place = points.indexOf(d3.event.target);
      if (place >= 0) mark(place);
      svg.classed("focused", place >= 0 && d3.event.target.matches(":focus-visible"));
    }).on("focusout", () => svg.classed("focused", false)).on("keydown", () => {
      const place = points.indexOf(d3.event.target);
      if (place < 0 || !step[d3.event.key]) return;
      const [order, by] = step[d3.event.key];
      points[order[Math.min(Math.max(order.indexOf(place) + by, 0), order.length - 1)]].focus();
      d3.event.preventDefault();
    });
    points[gains[0]].setAttribute("tabindex", 0);
  }

  document.getElementById("chart").hidden = false;
  picker.addEventListener("change", draw);
  let drawn = 0;
  new ResizeObserver(() => {
    if (plot.clientWidth !== drawn) { drawn = plot.clientWidth; draw(); }
  }).observe(plot);
})();
