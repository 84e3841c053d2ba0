(function () {
  "use strict";
  var $ = function (id) { return document.getElementById(id); };
  var least = Math.min, D, A = [], frame = 0, playing = false, watched = 0, clock = 0, last = 0;
  var AGENTS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
  var ink = {};

  function colours() {
    var style = getComputedStyle(document.documentElement);
    ["ink", "soft", "line", "faint", "bad", "mark", "house", "card", "hue"].forEach(function (name) {
      ink[name] = style.getPropertyValue("--" + name).trim();
    });
  }
  function hue(i) { return i < 0 ? ink.soft : "hsl(" + (i * 137.508 + 205) % 360 + " 58% " + ink.hue + ")"; }
  function agentColour(i) { return AGENTS[i % AGENTS.length]; }

  // The file: see packing.py.
  function read(buffer) {
    var view = new DataView(buffer), length = view.getUint32(0, true);
    var head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    var bytes = new Uint8Array(buffer), at = 4 + length;
    head.arrays.forEach(function (array) {
      var f = array.f, n = array.n, count = f * n, values = new Int16Array(count);
      for (var c = 0; c < n; c++) {
        var sum = 0;
        for (var t = 0; t < f; t++) {
          var i = c * f + t, low = bytes[at + i];
          var delta = array.narrow ? (low << 24) >> 24 : ((low | bytes[at + count + i] << 8) << 16) >> 16;
          sum = (sum + delta << 16) >> 16;
          values[i] = sum;
        }
      }
      at += array.narrow ? count : 2 * count;
      array.values = values;
    });
    return head;
  }
  function number(index, column, t) {
    var array = D.arrays[index];
    return array.values[column * array.f + least(Math.floor(t / array.every), array.f - 1)];
  }
  function told(index, column, t, range) {
    var step = number(index, column, t);
    var share = (step - 1) / D.arrays[index].steps;
    return step === 0 ? NaN : range[2] + (D.arrays[index].root ? share * share : share) * (range[3] - range[2]);
  }
  function reward(agent, t) { return number(agent.reward, 0, t) * agent.scale; }
  function place(agent, u, t) {
    var array = D.arrays[agent.place], every = array.every, k = least(Math.floor(t / every), array.f - 1);
    var j = least(k + 1, array.f - 1), from = k * every, to = j === array.f - 1 ? D.frames - 1 : j * every;
    var share = to > from ? least(1, (t - from) / (to - from)) : 0, at = [0, 0];
    for (var d = 0; d < 2; d++) {
      var a = array.values[(2 * u + d) * array.f + k], b = array.values[(2 * u + d) * array.f + j];
      at[d] = agent.corner[d] + (a + (b - a) * share) * agent.step;
    }
    return at;
  }
  function seconds(t) { return t / (D.frames - 1) * D.seconds; }
  function shown(value) {
    if (!isFinite(value) || value === 0) { return value === 0 ? "0" : "–"; }
    var digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
    return value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
  }
  function time(s) { return D.seconds < 1 ? (1000 * s).toFixed(1) + " ms" : s.toFixed(D.seconds < 20 ? 2 : 1) + " s"; }

  // A canvas in real pixels; returns its context, scaled to CSS pixels.
  function sized(canvas, height) {
    var ratio = window.devicePixelRatio || 1, width = canvas.clientWidth;
    if (height) { canvas.style.height = height + "px"; } else { height = canvas.clientHeight; }
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    var c = canvas.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    return { c: c, w: width, h: height };
  }

  // Rewards so far, less those of the first agent: where lines leave each other, rewards part.
  var LEFT = 6, RIGHT = 6, STRIP = 11;
  function drawLine() {
    var canvas = $("line"), strips = D.stage ? A.length : 0, s = sized(canvas, (innerWidth < 760 ? 96 : 122) + strips * STRIP);
    var c = s.c, high = s.h - strips * STRIP - 14, x = function (t) { return LEFT + t / (D.frames - 1) * (s.w - LEFT - RIGHT); };
    var low = 0, most = 0, gap = A.length > 1;
    var value = function (agent, t) { return gap ? reward(agent, t) - reward(A[0], t) : reward(agent, t); };
    A.forEach(function (agent) {
      for (var t = 0; t < D.frames; t++) { var v = value(agent, t); low = least(low, v); most = Math.max(most, v); }
    });
    var span = most - low || 1, y = function (v) { return 17 + (most - v) / span * (high - 22); };
    c.font = "11px system-ui, sans-serif";
    if (D.scored > 0) {
      c.fillStyle = ink.faint;
      c.fillRect(LEFT, 0, x(D.scored / D.seconds * (D.frames - 1)) - LEFT, high);
      c.fillStyle = ink.soft;
      c.fillText("not scored", LEFT + 3, high - 4);
    }
    if (D.part !== null) {
      c.fillStyle = ink.mark;
      c.globalAlpha = 0.16;
      c.fillRect(x(D.part), 0, Math.max(3, x(least(D.frames - 1, D.part + Math.max(1, Math.floor(D.frames / 20)))) - x(D.part)), high);
      c.globalAlpha = 1;
      c.textAlign = D.part > D.frames / 2 ? "right" : "left";
      c.fillText("they part", x(D.part) + (D.part > D.frames / 2 ? -4 : 4), 11);
      c.textAlign = "left";
    }
    if (D.first !== null) {
      c.fillStyle = ink.mark;
      c.fillRect(x(D.first), 0, 1, high);
    }
    c.fillStyle = ink.soft;
    var title = gap ? "reward so far, less " + A[0].name : "reward so far", room = s.w - 2 * LEFT;
    if (D.part !== null) { room = x(D.part) - LEFT - 8 - (D.part > D.frames / 2 ? c.measureText("they part").width + 4 : 0); }
    if (c.measureText(title).width < room) { c.fillText(title, LEFT + 3, 11); }
    c.fillRect(LEFT, y(0), s.w - LEFT - RIGHT, 1);
    A.forEach(function (agent, i) {
      c.strokeStyle = agentColour(i);
      c.lineWidth = 2;
      c.beginPath();
      for (var t = 0; t < D.frames; t++) { c[t ? "lineTo" : "moveTo"](x(t), y(value(agent, t))); }
      c.stroke();
    });
    if (strips) { A.forEach(function (agent, i) { drawStrip(c, agent, i, high + 2 + i * STRIP, x); }); }
    c.fillStyle = ink.soft;
    var step = nice(D.seconds / Math.max(3, s.w / 110));
    for (var at = 0; at <= D.seconds * 1.0001; at += step) {
      c.textAlign = at === 0 ? "left" : at > D.seconds * 0.97 ? "right" : "center";
      c.fillText(time(at).replace(/\.0+ /, " "), x(at / D.seconds * (D.frames - 1)), s.h - 2);
    }
    c.textAlign = "left";
    c.fillStyle = ink.ink;
    c.fillRect(x(frame) - 0.75, 0, 1.5, s.h - 13);
  }
  function nice(rough) {
    var power = Math.pow(10, Math.floor(Math.log10(rough)));
    return power * [1, 2, 5, 10].find(function (m) { return m * power >= rough * 0.999; });
  }
  // Of one UE: who serves it, and failures. Of many: how many hand over, or where nobody does, how many are in trouble.
  function drawStrip(c, agent, i, top, x) {
    var one = D.stage.ues === 1, t, from = 0;
    if (one) {
      for (t = 1; t <= D.frames; t++) {
        if (t < D.frames && number(agent.serving, 0, t) === number(agent.serving, 0, from)) { continue; }
        c.fillStyle = hue(number(agent.serving, 0, from));
        c.fillRect(x(from), top, Math.max(1, x(t - 0.02) - x(from)), STRIP - 3);
        from = t;
      }
    } else {
      for (t = 1; t < D.frames; t++) {
        var share = (D.moving ? number(agent.moves, 0, t) - number(agent.moves, 0, t - 1) : agent.bad[t]) / D.most;
        c.fillStyle = agentColour(i);
        c.fillRect(x(t), top + (STRIP - 3) * (1 - share), Math.max(1, x(1) - x(0) - 0.5), (STRIP - 3) * share);
      }
    }
    c.fillStyle = ink.bad;
    agent.events.forEach(function (event) {
      if (event[2] !== "moved" && (one || event[1] === watched)) {
        c.fillRect(x(event[0] / D.seconds * (D.frames - 1)) - 1, top - 1, 2, STRIP - 1);
      }
    });
  }

  // The map: houses, nodes, links, UEs.
  function bounds() {
    var box = [Infinity, Infinity, -Infinity, -Infinity], add = function (p) {
      if (p[0] === null || !isFinite(p[0])) { return; }
      box = [least(box[0], p[0]), least(box[1], p[1]), Math.max(box[2], p[0]), Math.max(box[3], p[1])];
    };
    (D.stage.places || []).forEach(add);
    A.forEach(function (agent) {
      for (var t = 0; t < D.frames; t += Math.max(1, Math.floor(D.frames / 50))) {
        for (var u = 0; u < D.stage.ues; u++) {
          if (number(agent.state, u, t) & 1) { add(place(agent, u, t)); }
        }
      }
    });
    if (box[0] === Infinity) { box = [0, 0, 1, 1]; }
    return box;
  }
  function scale(s, margin) {
    var box = D.box, wide = Math.max(box[2] - box[0], 1), tall = Math.max(box[3] - box[1], 1);
    var k = least((s.w - 2 * margin) / wide, (s.h - 2 * margin) / tall);
    var dx = (s.w - k * wide) / 2, dy = (s.h - k * tall) / 2;
    return {
      k: k,
      of: function (p) { return [dx + (p[0] - box[0]) * k, s.h - dy - (p[1] - box[1]) * k]; }
    };
  }
  function drawMap(agent) {
    var stage = D.stage, tall = (D.box[3] - D.box[1]) / Math.max(D.box[2] - D.box[0], 1);
    var width = agent.canvas.clientWidth, height = Math.round(Math.max(width * 0.3, least(width * 0.86, width * tall + 30, 440)));
    var s = sized(agent.canvas, height), c = s.c, m = scale(s, 14), many = stage.ues > 60, u, k;
    agent.m = m;
    c.fillStyle = ink.house;
    stage.outlines.forEach(function (outline) {
      c.beginPath();
      outline.forEach(function (p, i) { var q = m.of(p); c[i ? "lineTo" : "moveTo"](q[0], q[1]); });
      c.fill();
    });
    var node = function (k) { return stage.places && stage.places[k] && stage.places[k][0] !== null ? m.of(stage.places[k]) : null; };
    if (stage.ues <= 4) {
      c.lineWidth = 2;
      for (u = 0; u < stage.ues; u++) {
        for (var t = Math.max(1, frame - 120); t <= frame; t++) {
          if (!(number(agent.state, u, t) & number(agent.state, u, t - 1) & 1)) { continue; }
          var a = m.of(place(agent, u, t - 1)), b = m.of(place(agent, u, t));
          c.strokeStyle = hue(number(agent.serving, u, t));
          c.globalAlpha = 0.55;
          c.beginPath(); c.moveTo(a[0], a[1]); c.lineTo(b[0], b[1]); c.stroke();
        }
      }
      c.globalAlpha = 1;
    }
    var links = [];
    for (u = 0; u < stage.ues; u++) {
      if (!(number(agent.state, u, frame) & 1)) { continue; }
      links.push([u, m.of(place(agent, u, frame)), number(agent.serving, u, frame), number(agent.state, u, frame) & 2]);
    }
    c.lineWidth = many ? 0.7 : 1.6;
    c.globalAlpha = many ? 0.45 : 0.85;
    links.forEach(function (link) {
      var to = node(link[2]);
      if (link[2] < 0 || !to) { return; }
      c.strokeStyle = link[3] ? ink.bad : hue(link[2]);
      c.beginPath(); c.moveTo(link[1][0], link[1][1]); c.lineTo(to[0], to[1]); c.stroke();
    });
    c.globalAlpha = 1;
    for (k = 0; k < stage.nodes; k++) {
      var p = node(k), r = stage.nodes > 60 ? 2 : 5;
      if (!p) { continue; }
      c.fillStyle = stage.nodes > 60 && agent.share !== undefined ? ink.mark : hue(k);
      if (agent.share !== undefined) {
        r = (stage.nodes > 60 ? 1 : 3) + (stage.nodes > 60 ? 5 : 11) * (told(agent.share, k, frame, ["", "", 0, 1]) || 0);
        c.globalAlpha = stage.nodes > 60 ? 0.35 : 0.75;
        c.beginPath(); c.arc(p[0], p[1], r, 0, 7); c.fill();
        c.globalAlpha = 1;
      } else { c.fillRect(p[0] - r, p[1] - r, 2 * r, 2 * r); }
      if (stage.nodes <= 30 && agent.share === undefined) {
        c.fillStyle = ink.soft; c.font = "10px system-ui, sans-serif"; c.fillText(k, p[0] + 7, p[1] + 3);
      }
    }
    links.forEach(function (link) {
      var r = many ? 1.8 : stage.ues > 8 ? 3 : 5, moved = recent(agent, link[0], "moved");
      c.fillStyle = link[3] ? ink.bad : many ? ink.ink : hue(link[2]);
      c.beginPath(); c.arc(link[1][0], link[1][1], r, 0, 7); c.fill();
      if (moved && !many) { c.strokeStyle = ink.ink; c.lineWidth = 1.5; c.beginPath(); c.arc(link[1][0], link[1][1], r + 5, 0, 7); c.stroke(); }
      if (link[0] === watched && stage.ues > 1) {
        c.strokeStyle = ink.mark; c.lineWidth = 2; c.beginPath(); c.arc(link[1][0], link[1][1], r + 4, 0, 7); c.stroke();
      }
    });
  }
  function recent(agent, u, what) {
    var now = seconds(frame), window = Math.max(D.seconds / 60, seconds(1));
    return agent.events.some(function (e) { return e[1] === u && e[2] === what && e[0] <= now + 1e-9 && e[0] > now - window; });
  }
  // Links as a table, where a scenario has no places: a row a UE, a column a node.
  function drawTable(agent) {
    var stage = D.stage, rows = least(stage.ues, 24), columns = stage.nodes, width = agent.canvas.clientWidth;
    var high = Math.max(16, least(34, 240 / rows)), s = sized(agent.canvas, rows * high + 22), c = s.c;
    var left = 46, right = 92, wide = (s.w - left - right) / columns, range = stage.level;
    c.font = "11px system-ui, sans-serif";
    c.fillStyle = ink.soft;
    c.textAlign = "center";
    for (var k = 0; k < columns; k++) { if (wide > 16 || k % 5 === 0) { c.fillText(k, left + (k + 0.5) * wide, 12); } }
    c.textAlign = "left";
    c.fillText(stage.value[1] || stage.value[0], s.w - right + 8, 12);
    for (var u = 0; u < rows; u++) {
      var top = 20 + u * high;
      c.fillStyle = ink.soft;
      c.fillText(stage.ue + " " + u, 2, top + high / 2 + 4);
      for (k = 0; k < columns; k++) {
        var level = told(agent.level, u * columns + k, frame, range), share = (level - range[2]) / (range[3] - range[2] || 1);
        c.fillStyle = hue(k);
        c.globalAlpha = 0.07 + 0.75 * (share || 0);
        c.fillRect(left + k * wide + 1, top + 1, wide - 2, high - 2);
        c.globalAlpha = 1;
      }
      var serving = number(agent.serving, u, frame), trouble = number(agent.state, u, frame) & 2;
      if (serving >= 0) {
        c.strokeStyle = trouble ? ink.bad : ink.ink;
        c.lineWidth = recent(agent, u, "moved") ? 3.5 : 2;
        c.strokeRect(left + serving * wide + 2, top + 2, wide - 4, high - 4);
      }
      var value = told(agent.value, u, frame, stage.value);
      c.fillStyle = trouble ? ink.bad : ink.ink;
      c.fillText(shown(value), s.w - right + 8, top + high / 2 + 4);
      c.fillRect(s.w - right + 44, top + high / 2 - 3, Math.max(0, 44 * (value - stage.value[2]) / (stage.value[3] - stage.value[2] || 1)) || 0, 6);
    }
  }
  // What the watched UE hears of every node.
  function drawBars(agent) {
    var array = D.arrays[agent.level], n = D.stage.nodes, many = array.n > n, s = sized(agent.bars, 64), c = s.c;
    var wide = s.w / n, serving = number(agent.serving, many ? watched : 0, frame), range = D.stage.level;
    c.font = "10px system-ui, sans-serif";
    for (var k = 0; k < n; k++) {
      var level = told(agent.level, (many ? watched * n : 0) + k, frame, range);
      var h = isNaN(level) ? 0 : Math.max(1, (level - range[2]) / (range[3] - range[2]) * 48);
      c.fillStyle = hue(k);
      c.globalAlpha = k === serving ? 1 : 0.45;
      c.fillRect(k * wide + 1, 50 - h, Math.max(1, wide - 2), h);
      c.globalAlpha = 1;
      if (k === serving) { c.strokeStyle = ink.ink; c.lineWidth = 1.5; c.strokeRect(k * wide + 1, 50 - h, Math.max(1, wide - 2), h); }
      if (wide > 13) { c.fillStyle = ink.soft; c.textAlign = "center"; c.fillText(k, (k + 0.5) * wide, 61); c.textAlign = "left"; }
    }
  }

  // How many are in trouble in each frame, whether anybody hands over, and the most of what the strips show.
  function count() {
    D.moving = A.some(function (agent) { return number(agent.moves, 0, D.frames - 1) > 0; });
    D.most = 1;
    A.forEach(function (agent) {
      agent.bad = [];
      for (var t = 0; t < D.frames; t++) {
        var bad = 0;
        for (var u = 0; u < D.stage.ues; u++) { bad += (number(agent.state, u, t) & 2) / 2; }
        agent.bad.push(bad);
        D.most = Math.max(D.most, !D.moving ? bad : t ? number(agent.moves, 0, t) - number(agent.moves, 0, t - 1) : 0);
      }
    });
  }

  function numbers(agent) {
    var best = A.reduce(function (found, one) { return Math.max(found, reward(one, frame)); }, -Infinity);
    var list = [["reward so far", shown(reward(agent, frame)), ""]];
    if (A.length > 1) { list.push(["less the best", shown(reward(agent, frame) - best), ""]); }
    if (D.stage) {
      var stage = D.stage, sum = 0, there = 0, bad = 0;
      for (var u = 0; u < stage.ues; u++) {
        var state = number(agent.state, u, frame);
        if (state & 1) { there++; bad += (state & 2) / 2; sum += told(agent.value, u, frame, stage.value) || 0; }
      }
      list.push([stage.ues > 1 ? "mean " + stage.value[0] : stage.value[0], shown(sum / there) + " " + stage.value[1], ""]);
      if (stage.ues === 1) { list.push([stage.node, number(agent.serving, 0, frame) < 0 ? "none" : number(agent.serving, 0, frame), ""]); }
      if (D.moving) { list.push(["handovers", number(agent.moves, 0, frame), ""]); }
      if (stage.ues > 1) { list.push(["in trouble", bad + " of " + there, bad ? "bad" : ""]); }
      if (stage.ues > 1 && stage.places) {
        list.push([stage.ue + " " + watched, shown(told(agent.value, watched, frame, stage.value)) + " " + stage.value[1], ""]);
      }
    }
    agent.numbers.textContent = "";
    list.forEach(function (item) {
      var span = agent.numbers.appendChild(document.createElement("span"));
      span.className = item[2];
      span.appendChild(document.createTextNode(item[0] + " "));
      span.appendChild(document.createElement("b")).textContent = item[1];
    });
    var now = seconds(frame), window = Math.max(D.seconds / 40, seconds(1));
    var said = agent.events ? agent.events.filter(function (e) {
      return (D.stage.ues === 1 || e[1] === watched) && e[0] <= now + 1e-9 && e[0] > now - window;
    }).map(function (e) { return e[2] === "moved" ? "handover" : e[2]; }) : [];
    agent.event.textContent = said.slice(-2).join(", ");
  }
  function draw() {
    drawLine();
    A.forEach(function (agent) {
      numbers(agent);
      if (!D.stage) {
        var array = D.arrays[agent.text], lines = [];
        for (var row = 0; row < array.n; row++) { var i = number(agent.text, row, frame); if (i >= 0) { lines.push(agent.lines[i]); } }
        agent.pre.textContent = lines.join("\n");
      } else if (agent.place !== undefined) { drawMap(agent); } else if (agent.level !== undefined) { drawTable(agent); }
      if (agent.bars) { drawBars(agent); }
    });
    $("clock").textContent = time(seconds(frame)) + " of " + time(D.seconds);
    $("scrub").value = frame;
    $("scrub").setAttribute("aria-valuetext", time(seconds(frame)));
  }
  function go(to) {
    frame = least(D.frames - 1, Math.max(0, Math.round(to)));
    clock = frame;
    draw();
  }
  function run(on) {
    playing = on;
    if (on && frame >= D.frames - 1) { go(0); }
    $("play").textContent = on ? "❚❚" : "▶";
    $("play").setAttribute("aria-label", on ? "Stop" : "Play");
    last = performance.now();
    if (on) { requestAnimationFrame(tick); }
  }
  // All of it takes 40 s at speed 1, or real time where that is shorter.
  function tick(now) {
    if (!playing) { return; }
    var rate = (D.frames - 1) / Math.max(least(40, D.seconds), 12) * Number($("speed").value);
    clock += Math.max(0, now - last) / 1000 * rate;
    last = now;
    if (Math.floor(clock) !== frame) { frame = least(D.frames - 1, Math.floor(clock)); draw(); }
    if (frame >= D.frames - 1) { run(false); } else { requestAnimationFrame(tick); }
  }
  function element(parent, tag, name) {
    var made = parent.appendChild(document.createElement(tag));
    if (name) { made.className = name; }
    return made;
  }
  function start(head) {
    D = head;
    A = D.agents;
    $("about").textContent = D.about;
    $("notes").textContent = D.notes.join(" ") + (D.stage && D.stage.attribution ? " " + D.stage.attribution : "");
    var stage = D.stage;
    A.forEach(function (agent, i) {
      var panel = element($("panels"), "section", "panel"), title = element(panel, "h2");
      element(title, "i").style.background = agentColour(i);
      title.appendChild(document.createTextNode(agent.label + " "));
      var value = agent.row[D.primary];
      element(title, "small").textContent = (agent.label === agent.name ? "" : agent.name + " ") + (value === undefined ? "" : D.primary + " " + shown(value));
      agent.numbers = element(panel, "div", "numbers");
      if (!stage) { agent.pre = element(panel, "pre"); } else {
        agent.canvas = element(panel, "canvas");
        agent.canvas.setAttribute("role", "img");
        agent.canvas.setAttribute("aria-label", "What " + agent.label + " does");
        if (stage.places && agent.level !== undefined) { agent.bars = element(panel, "canvas"); }
        agent.canvas.addEventListener("click", function (event) { choose(agent, event); });
      }
      agent.event = element(panel, "div", "event");
    });
    if (stage && A[0].place !== undefined) { D.box = bounds(); }
    if (stage) { count(); }
    $("key").textContent = !stage ? "" : (stage.places ? "Squares or discs: " + stage.node + "s. Circles: " + stage.ue + "s, in the colour of the " + stage.node + " that serves them; red: in trouble. " : "Rows: " + stage.ue + "s; columns: " + stage.node + "s, the fuller the better the link; a frame marks the " + stage.node + " that serves. ") + (stage.vary ? "The larger a disc, the more " + stage.vary + ". " : "") + (stage.ues === 1 ? "Strips: who serves; red: trouble begins. " : D.moving ? "Strips: handovers in each frame. " : "Strips: how many are in trouble. ") + "In trouble: without data, or with less than needed. Shade: where rewards part fastest; thin line: their first difference.";
    $("scrub").max = D.frames - 1;
    $("scrub").addEventListener("input", function () { run(false); go(Number(this.value)); });
    $("play").addEventListener("click", function () { run(!playing); });
    if (D.part !== null) {
      $("part").hidden = false;
      $("part").addEventListener("click", function () { run(false); go(D.part); });
    }
    var jump = function (event) {
      var box = $("line").getBoundingClientRect();
      run(false);
      go((event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT) * (D.frames - 1));
    };
    $("line").addEventListener("pointerdown", function (event) { this.setPointerCapture(event.pointerId); jump(event); });
    $("line").addEventListener("pointermove", function (event) { if (event.buttons) { jump(event); } });
    addEventListener("keydown", function (event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") { return; }
      var far = event.shiftKey ? 10 : 1;
      var to = { ArrowLeft: frame - far, ArrowRight: frame + far, Home: 0, End: D.frames - 1, p: D.part, P: D.part }[event.key];
      if (event.key === " ") { event.preventDefault(); run(!playing); return; }
      if (to === undefined || to === null) { return; }
      event.preventDefault();
      run(false);
      go(to);
    });
    addEventListener("resize", draw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { colours(); draw(); });
    colours();
    go(0);
    document.body.dataset.ready = "yes";
  }
  function choose(agent, event) {
    if (!agent.m || D.stage.ues < 2) { return; }
    var box = agent.canvas.getBoundingClientRect(), best = Infinity;
    for (var u = 0; u < D.stage.ues; u++) {
      if (!(number(agent.state, u, frame) & 1)) { continue; }
      var p = agent.m.of(place(agent, u, frame)), d = Math.hypot(p[0] - event.clientX + box.left, p[1] - event.clientY + box.top);
      if (d < best) { best = d; watched = u; }
    }
    draw();
  }

  if (typeof DecompressionStream === "undefined") { $("broken").hidden = false; return; }
  var raw = atob($("data").textContent), bytes = new Uint8Array(raw.length);
  for (var i = 0; i < raw.length; i++) { bytes[i] = raw.charCodeAt(i); }
  new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer().then(function (buffer) { start(read(buffer)); });
})();
