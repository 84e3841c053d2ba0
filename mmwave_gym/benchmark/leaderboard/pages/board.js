(function () {
  "use strict";
  var address = new URLSearchParams(location.search);
  var all = function (selector, within) { return Array.from((within || document).querySelectorAll(selector)); };

  // What is chosen is kept in the address, so that a link shows the same.
  function keep(name, value) {
    if (value) { address.set(name, value); } else { address.delete(name); }
    var text = address.toString().replace(/%2C/g, ",");
    history.replaceState(null, "", location.pathname + (text ? "?" + text : "") + location.hash);
  }

  // Sorting stays inside each tbody: access levels are ranked apart, whatever the column.
  function sort(table, head, order) {
    all("thead th[aria-sort]", table).forEach(function (h) { h.setAttribute("aria-sort", "none"); });
    head.setAttribute("aria-sort", order);
    var sign = order === "ascending" ? 1 : -1;
    var key = function (row) {
      var cell = row.cells[head.cellIndex];
      return cell && cell.dataset.sort !== undefined ? cell.dataset.sort : "";
    };
    all("tbody", table).forEach(function (body) {
      var rows = all("tr:not(.group)", body);
      rows.sort(function (a, b) {
        var x = key(a), y = key(b);
        if (x === "" || y === "") { return (x === "") - (y === ""); }
        var d = Number(x) - Number(y);
        return sign * (Number.isNaN(d) ? x.localeCompare(y) : d);
      });
      rows.forEach(function (row) { body.appendChild(row); });
    });
  }
  all("table.sortable").forEach(function (table) {
    all("thead th[aria-sort]", table).forEach(function (head) {
      head.querySelector("button").addEventListener("click", function () {
        var first = head.dataset.first || "ascending";
        var other = first === "ascending" ? "descending" : "ascending";
        sort(table, head, head.getAttribute("aria-sort") === first ? other : first);
      });
    });
  });

  // Filters: a row is shown where it has one of the chosen values of each kind of choice.
  var form = document.querySelector("form.filters");
  function filter() {
    var wanted = {};
    all("input:checked", form).forEach(function (box) { (wanted[box.name] = wanted[box.name] || []).push(box.value); });
    all("[data-access]").forEach(function (row) {
      row.hidden = !Object.keys(wanted).every(function (name) {
        return row.dataset[name].split(" ").some(function (value) { return wanted[name].indexOf(value) >= 0; });
      });
    });
    all("tbody").forEach(function (body) {
      var rows = all("tr[data-access]", body);
      body.hidden = rows.length > 0 && rows.every(function (row) { return row.hidden; });
    });
    var rows = all(".ranking tr[data-access]"), shown = rows.filter(function (row) { return !row.hidden; });
    form.querySelector("output").textContent = shown.length + " of " + rows.length + " agents";
    form.querySelector("button").hidden = shown.length === rows.length;
    return wanted;
  }
  if (form && form.querySelector("input")) {
    form.hidden = false;
    all("input", form).forEach(function (box) {
      box.checked = (address.get(box.name) || "").split(",").indexOf(box.value) >= 0;
    });
    var choose = function () {
      var wanted = filter();
      ["access", "kind", "class"].forEach(function (name) { keep(name, (wanted[name] || []).join(",")); });
    };
    form.addEventListener("change", choose);
    form.addEventListener("reset", function () { setTimeout(choose, 0); });
    filter();
  }

  // Any two agents: the file beside the page is read when it is wanted.
  var section = document.getElementById("compare"), data = null;
  window.mmwaveBoard = { pairs: function (found) { data = found; compare(address.has("a") || address.has("b")); } };
  function digits(value, half) {
    if (value === null) { return "–"; }
    var places = half > 0 ? 1 - Math.floor(Math.log10(half)) : value ? 3 - Math.floor(Math.log10(Math.abs(value))) : 0;
    if (places > 9 || Math.abs(value) >= 1e7) { return value.toExponential(3).replace(/-/g, "−"); }
    places = Math.max(0, places);
    return value.toLocaleString("en-GB", { minimumFractionDigits: places, maximumFractionDigits: places }).replace("-", "−");
  }
  function signed(value, half) { return (value > 0 ? "+" : "") + digits(value, half); }
  function cell(row, text, kind) {
    var made = row.insertCell();
    made.textContent = text;
    if (kind) { made.className = kind; }
    return made;
  }
  function verdict(difference, metric) {
    if (!difference[3]) { return ["≈ tied", "tied"]; }
    if (metric > 0) { return [difference[0] > 0 ? "more" : "less", ""]; }
    if (Math.abs(difference[0]) < data.smallest) { return ["≈ alike", "alike"]; }
    return (difference[0] > 0) === data.higher ? ["▲ better", "better"] : ["▼ worse", "worse"];
  }
  // People paste commands into a shell, and names are other people's text.
  function quoted(text) { return /^[\w@%+=:,./-]+$/.test(text) ? text : "'" + text.replace(/'/g, "'\"'\"'") + "'"; }
  function compare(chosen) {
    var boxes = all("select", section), names = data.agents.map(function (agent) { return agent[0]; });
    var a = names.indexOf(boxes[0].value), b = names.indexOf(boxes[1].value), n = names.length;
    var body = section.querySelector("tbody");
    body.textContent = "";
    if (a < 0 || b < 0) { return; }
    var head = body.insertRow();
    ["metric", data.agents[a][1], data.agents[b][1], "difference"].forEach(function (text, i) {
      var th = document.createElement("th");
      th.textContent = text;
      th.className = i ? "num" : "";
      head.appendChild(th);
    });
    data.metrics.forEach(function (metric, m) {
      var i = Math.min(a, b), j = Math.max(a, b), sign = a < b ? 1 : -1, row = body.insertRow();
      var found = a === b ? null : data.values[m][i * n - i * (i + 1) / 2 + j - i - 1];
      var name = cell(row, metric[0]);
      if (metric[1]) { name.appendChild(document.createElement("small")).textContent = " " + metric[1]; }
      var half = found && found[1] !== null ? (found[2] - found[1]) / 2 : 0;
      cell(row, digits(data.means[m][a], half), "num");
      cell(row, digits(data.means[m][b], half), "num");
      if (!found) { cell(row, a === b ? "the same agent" : "no common episode", "num none"); return; }
      var mean = sign * found[0], ends = found[1] === null ? null : [sign * found[1], sign * found[2]].sort(function (x, y) { return x - y; });
      var last = cell(row, signed(mean, half), "num"), said = verdict([mean, 0, 0, found[3]], m);
      if (ends && half > 0) {
        var span = last.appendChild(document.createElement("span"));
        span.className = "ends";
        span.textContent = "[" + signed(ends[0], half) + ", " + signed(ends[1], half) + "]";
      }
      var word = last.appendChild(document.createElement("span"));
      word.className = "verdict " + said[1];
      word.textContent = said[0];
    });
    if (chosen) {
      keep("a", boxes[0].value);
      keep("b", boxes[1].value);
      var code = section.querySelector(".command code");
      code.textContent = code.textContent.replace(/--agents .* --episode/, function () {
        return "--agents " + quoted(boxes[0].value + "," + boxes[1].value) + " --episode";
      });
    }
  }
  if (section && section.querySelector("option")) {
    var boxes = all("select", section);
    section.querySelector("form").hidden = false;
    boxes[1].selectedIndex = Math.min(1, boxes[1].options.length - 1);
    boxes.forEach(function (box) {
      var wanted = address.get(box.name);
      if (all("option", box).some(function (option) { return option.value === wanted; })) { box.value = wanted; }
      box.addEventListener("change", function () { if (data) { compare(true); } });
    });
    var load = function () {
      if (load.done) { return; }
      load.done = true;
      var script = document.createElement("script");
      script.src = section.dataset.pairs;
      document.head.appendChild(script);
    };
    new IntersectionObserver(function (seen, observer) {
      if (seen.some(function (one) { return one.isIntersecting; })) { observer.disconnect(); load(); }
    }, { rootMargin: "400px" }).observe(section);
  }

  all("time[datetime]").forEach(function (element) {
    var hours = (Date.now() - Date.parse(element.dateTime)) / 36e5;
    if (!(hours >= 0)) { return; }
    var days = Math.floor(hours / 24);
    var text = hours < 1 ? "within the hour" : hours < 48 ? Math.floor(hours) + " h ago"
      : days < 60 ? days + " days ago" : Math.floor(days / 30.44) + " months ago";
    var age = element.parentNode.querySelector(".age");
    if (age) { age.textContent = text; }
  });
  all("button.copy").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      var code = button.parentNode.querySelector("code");
      var done = function () {
        button.textContent = "Copied";
        setTimeout(function () { button.textContent = "Copy"; }, 1500);
      };
      var select = function () {
        var range = document.createRange();
        range.selectNodeContents(code);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        if (document.execCommand("copy")) { done(); }
      };
      if (navigator.clipboard) { navigator.clipboard.writeText(code.textContent).then(done, select); } else { select(); }
    });
  });
})();
