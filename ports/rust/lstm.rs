// LSTM, GRU and RNN in Rust, forward and backward, with every option of the conformance kit.
//
//   rustc --edition 2021 -O -o lstm ports/rust/lstm.rs
//   ./lstm kit/cases results        reads each kit/cases/ID.json, writes results/ID.json
//
// One sequence at a time, a gate at a time. Matrices are flat, rows one behind the other.
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::{env, fs, process};

type Vector = Vec<f64>;

// ---- JSON, as much of it as a case needs ----

#[derive(Debug)]
enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Object(HashMap<String, Value>),
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, c: u8) -> bool {
        while self.text.get(self.at).map_or(false, u8::is_ascii_whitespace) {
            self.at += 1;
        }
        let there = self.text.get(self.at) == Some(&c);
        self.at += usize::from(there);
        there
    }

    fn until(&mut self, end: impl Fn(&u8) -> bool) -> &str {
        let rest = &self.text[self.at..];
        let n = rest.iter().position(end).unwrap_or(rest.len());
        self.at += n;
        std::str::from_utf8(&rest[..n]).expect("not UTF-8")
    }

    fn string(&mut self) -> String {
        let found = self.until(|&c| c == b'"').to_string(); // a case escapes nothing
        assert!(self.take(b'"'), "a string without an end");
        found
    }

    fn value(&mut self) -> Value {
        if self.take(b'"') {
            Value::Text(self.string())
        } else if self.take(b'[') {
            let mut items = vec![];
            while !self.take(b']') {
                items.push(self.value());
                self.take(b',');
            }
            Value::List(items)
        } else if self.take(b'{') {
            let mut items = HashMap::new();
            while !self.take(b'}') {
                assert!(self.take(b'"'), "a name is missing");
                let key = self.string();
                assert!(self.take(b':'), "a colon is missing");
                items.insert(key, self.value());
                self.take(b',');
            }
            Value::Object(items)
        } else {
            match self.until(|c| b",]} \t\r\n".contains(c)) {
                "null" => Value::Null,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                number => Value::Number(number.parse().expect("not JSON")),
            }
        }
    }
}

fn json(text: &[u8]) -> Value {
    Reader { text, at: 0 }.value()
}

impl Value {
    fn get(&self, key: &str) -> &Value {
        match self {
            Value::Object(items) => items.get(key).unwrap_or(&Value::Null),
            _ => &Value::Null,
        }
    }

    fn number(&self) -> Option<f64> {
        if let Value::Number(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    fn whole(&self) -> usize {
        self.number().unwrap_or(0.0) as usize
    }

    fn text(&self) -> &str {
        if let Value::Text(text) = self {
            text
        } else {
            ""
        }
    }

    fn list(&self) -> &[Value] {
        if let Value::List(items) = self {
            items
        } else {
            &[]
        }
    }

    fn items(&self) -> impl Iterator<Item = (&String, &Value)> {
        if let Value::Object(items) = self { Some(items.iter()) } else { None }
            .into_iter()
            .flatten()
    }
}

// ---- Activations, their slopes by their values, and bounds ----

fn act(name: &str, z: f64) -> f64 {
    match name {
        "sigmoid" => 1.0 / (1.0 + (-z).exp()),
        "tanh" => z.tanh(),
        "relu" => z.max(0.0),
        "softsign" => z / (1.0 + z.abs()),
        "hard_sigmoid" => (0.2 * z + 0.5).clamp(0.0, 1.0),
        "hard_sigmoid_6" => (z / 6.0 + 0.5).clamp(0.0, 1.0),
        _ => z,
    }
}

fn of(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

fn slope(name: &str, s: f64) -> f64 {
    match name {
        "sigmoid" => s * (1.0 - s),
        "tanh" => (1.0 - s) * (1.0 + s),
        "relu" => of(s > 0.0),
        "softsign" => (1.0 - s.abs()).powi(2),
        "hard_sigmoid" => 0.2 * of(s > 0.0 && s < 1.0),
        "hard_sigmoid_6" => of(s > 0.0 && s < 1.0) / 6.0,
        _ => 1.0,
    }
}

fn clipped(z: f64, bound: Option<f64>) -> f64 {
    bound.map_or(z, |b| z.clamp(-b, b))
}

fn passes(z: f64, bound: Option<f64>) -> f64 {
    of(bound.map_or(true, |b| z.abs() <= b))
}

// ---- Vectors and matrices ----

fn add(to: &mut [f64], from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(a, b)| *a += b);
}

fn product(a: &[f64], b: &[f64]) -> Vector {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}

/// m v, of a matrix with rows as long as v.
fn times(m: &[f64], v: &[f64]) -> Vector {
    m.chunks(v.len()).map(|row| product(row, v).iter().sum()).collect()
}

/// The transpose of m times d.
fn back(m: &[f64], d: &[f64]) -> Vector {
    let mut out = vec![0.0; m.len() / d.len()];
    for (row, d) in m.chunks(out.len()).zip(d) {
        out.iter_mut().zip(row).for_each(|(to, m)| *to += m * d);
    }
    out
}

/// dm += d v^T
fn outer(dm: &mut [f64], d: &[f64], v: &[f64]) {
    for (row, d) in dm.chunks_mut(v.len()).zip(d) {
        row.iter_mut().zip(v).for_each(|(to, v)| *to += d * v);
    }
}

// ---- A case ----

#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Lstm,
    Gru,
    Rnn,
}

const I: usize = 0; // rows of the LSTM's weights
const F: usize = 1;
const G: usize = 2;
const O: usize = 3;
const RESET: usize = 0; // and of the GRU's
const Z: usize = 1;
const N: usize = 2;

struct Case {
    cell: Cell,
    gates: usize,
    steps: usize,
    batch: usize,
    inputs: usize,
    units: usize,
    projected: usize, // what h is wide
    layers: usize,
    ways: usize,
    reverse: bool,
    batch_first: bool,
    reset_after: bool,
    peephole: bool,
    coupled: bool,
    removed: [bool; 4],
    clip: Option<f64>,
    cell_clip: Option<f64>,
    lengths: Vec<usize>,
    act: HashMap<String, String>,
    given: HashMap<String, Vector>,
}

/// Read a case, its inputs from the safetensors file beside it if it names one.
fn read(folder: &Path, name: &str) -> Result<Case, std::io::Error> {
    let file = json(&fs::read(folder.join(name))?);
    let flag = |key| matches!(file.get(key), Value::Bool(true));
    let size = |key| file.get(key).whole();
    let (cell, gates) = match file.get("cell").text() {
        "LSTM" => (Cell::Lstm, 4),
        "GRU" => (Cell::Gru, 3),
        _ => (Cell::Rnn, 1),
    };
    let mut given = HashMap::new();
    for (name, array) in file.get("inputs").items() {
        let data = array.get("data").list().iter().map(|v| v.number().unwrap_or(f64::NAN));
        given.insert(name.clone(), data.collect());
    }
    if let Value::Text(beside) = file.get("arrays") {
        let bytes = fs::read(folder.join(beside))?;
        let (length, rest) = bytes.split_at(8);
        let (header, data) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
        for (name, tensor) in json(header).items() {
            if let Some(name) = name.strip_prefix("inputs.") {
                let offsets = tensor.get("data_offsets").list();
                let numbers = data[offsets[0].whole()..offsets[1].whole()].chunks(8);
                let array = numbers.map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
                given.insert(name.to_string(), array);
            }
        }
    }
    let removed = file.get("removed").list();
    let way = file.get("direction").text();
    Ok(Case {
        cell,
        gates,
        steps: size("T"),
        batch: size("B"),
        inputs: size("D"),
        units: size("H"),
        projected: if size("P") > 0 { size("P") } else { size("H") },
        layers: size("layers"),
        ways: if way == "bidirectional" { 2 } else { 1 },
        reverse: way == "reverse",
        batch_first: flag("batch_first"),
        reset_after: flag("reset_after"),
        peephole: flag("peephole"),
        coupled: flag("coupled"),
        removed: ["i", "f", "g", "o"].map(|gate| removed.iter().any(|v| v.text() == gate)),
        clip: file.get("clip").number(),
        cell_clip: file.get("cell_clip").number(),
        lengths: file.get("lengths").list().iter().map(Value::whole).collect(),
        act: file.get("activations").items().map(|(k, v)| (k.clone(), v.text().into())).collect(),
        given,
    })
}

// ---- One direction of one layer ----

/// Weights, or their gradients: a vector or matrix per gate.
#[derive(Default)]
struct Weights {
    w: Vec<Vector>,
    u: Vec<Vector>,
    by_x: Vec<Vector>, // biases
    by_h: Vec<Vector>,
    r: Vector, // projection, and peepholes of i, f, o; empty where there are none
    p: Vector,
}

/// What a step keeps for the way back.
#[derive(Default)]
struct Step {
    x: Vector,
    h_prev: Vector,
    c_prev: Vector,
    h: Vector,
    c: Vector,
    z: Vec<Vector>, // pre-activations and gates
    s: Vec<Vector>,
    sum: Vector, // the cell state before it is bounded
    a: Vector,   // after its activation
    m: Vector,   // o times that
    q: Vector,
}

impl Case {
    fn weights(&self, suffix: &str) -> (Weights, Weights) {
        let blocks = |name: &str| -> Vec<Vector> {
            match self.given.get(&format!("{name}{suffix}")) {
                Some(m) => m.chunks(m.len() / self.gates).map(<[f64]>::to_vec).collect(),
                None => vec![vec![0.0; self.units]; self.gates],
            }
        };
        let whole = |name: &str| self.given.get(&format!("{name}{suffix}")).cloned();
        let two = self.given.contains_key(&format!("bias_ih{suffix}"));
        let mut p = Weights {
            w: blocks("weight_ih"),
            u: blocks("weight_hh"),
            by_x: blocks(if two { "bias_ih" } else { "bias" }),
            by_h: blocks("bias_hh"),
            r: whole("weight_hr").unwrap_or_default(),
            p: whole("peephole").unwrap_or_default(),
        };
        if let Some(own) = whole("bias_hn") {
            p.by_h[N] = own;
        }
        let zeros = |m: &Vec<Vector>| m.iter().map(|v| vec![0.0; v.len()]).collect();
        let d = Weights {
            w: zeros(&p.w),
            u: zeros(&p.u),
            by_x: zeros(&p.by_x),
            by_h: zeros(&p.by_h),
            r: vec![0.0; p.r.len()],
            p: vec![0.0; p.p.len()],
        };
        (p, d)
    }

    fn step(&self, p: &Weights, x: &[f64], h: &[f64], c: &[f64]) -> Step {
        let mut s =
            Step { x: x.to_vec(), h_prev: h.to_vec(), c_prev: c.to_vec(), ..Step::default() };
        let pre_activation = |gate: usize| {
            let mut z = times(&p.w[gate], x);
            add(&mut z, &times(&p.u[gate], h));
            add(&mut z, &p.by_x[gate]);
            add(&mut z, &p.by_h[gate]);
            z
        };
        match self.cell {
            Cell::Lstm => {
                s.z = (0..4).map(pre_activation).collect();
                self.lstm(p, &mut s);
            }
            Cell::Gru => {
                let gate = |k| pre_activation(k).into_iter().map(|z| act("sigmoid", z)).collect();
                s.s = vec![gate(RESET), gate(Z)];
                let mut z = times(&p.w[N], x);
                add(&mut z, &p.by_x[N]);
                if self.reset_after {
                    s.q = times(&p.u[N], h);
                    add(&mut s.q, &p.by_h[N]);
                    add(&mut z, &product(&s.s[RESET], &s.q));
                } else {
                    s.q = product(&s.s[RESET], h);
                    add(&mut z, &times(&p.u[N], &s.q));
                    add(&mut z, &p.by_h[N]);
                }
                s.s.push(z.into_iter().map(f64::tanh).collect());
                let (z, n) = (&s.s[Z], &s.s[N]);
                s.h = (0..self.units).map(|k| (1.0 - z[k]) * n[k] + z[k] * h[k]).collect();
                s.c = c.to_vec();
            }
            Cell::Rnn => {
                let state = &self.act["state"];
                s.h = pre_activation(0).into_iter().map(|z| act(state, z)).collect();
                s.c = c.to_vec();
            }
        }
        s
    }

    fn lstm(&self, p: &Weights, s: &mut Step) {
        let units = self.units;
        s.s = vec![vec![0.0; units]; 4];
        for k in 0..units {
            let gate = |gate: usize, z: f64| match self.removed[gate] {
                true => 1.0,
                false => act(&self.act["gate"], clipped(z, self.clip)),
            };
            if self.peephole {
                s.z[I][k] += p.p[k] * s.c_prev[k];
                s.z[F][k] += p.p[units + k] * s.c_prev[k];
            }
            let i = gate(I, s.z[I][k]);
            let f = if self.coupled { 1.0 - i } else { gate(F, s.z[F][k]) };
            let g = act(&self.act["cell"], clipped(s.z[G][k], self.clip));
            let sum = f * s.c_prev[k] + i * g;
            let c = clipped(sum, self.cell_clip);
            if self.peephole {
                s.z[O][k] += p.p[2 * units + k] * c;
            }
            let o = gate(O, s.z[O][k]);
            let a = act(&self.act["hidden"], c);
            s.sum.push(sum);
            s.c.push(c);
            s.a.push(a);
            s.m.push(o * a);
            (s.s[I][k], s.s[F][k], s.s[G][k], s.s[O][k]) = (i, f, g, o);
        }
        s.h = if p.r.is_empty() { s.m.clone() } else { times(&p.r, &s.m) };
    }

    /// From the gradients of the state after a step, those of its input and of the state before.
    fn step_back(
        &self,
        p: &Weights,
        d: &mut Weights,
        s: &Step,
        d_h: &[f64],
        d_c: Vector,
    ) -> (Vector, Vector, Vector) {
        let mut d_h_prev = vec![0.0; s.h_prev.len()];
        let mut d_c_prev = d_c;
        let mut d_z = vec![vec![0.0; self.units]; self.gates];
        let mut d_u: Option<Vec<Vector>> = None; // what arrives at U h, where that isn't d_z
        match self.cell {
            Cell::Lstm => d_c_prev = self.lstm_back(p, d, s, d_h, &d_c_prev, &mut d_z),
            Cell::Gru => {
                let (r, z, n) = (&s.s[RESET], &s.s[Z], &s.s[N]);
                for k in 0..self.units {
                    d_z[N][k] = d_h[k] * (1.0 - z[k]) * (1.0 - n[k] * n[k]);
                    d_z[Z][k] = d_h[k] * (s.h_prev[k] - n[k]) * z[k] * (1.0 - z[k]);
                    d_h_prev[k] = d_h[k] * z[k];
                }
                let d_q = if self.reset_after { d_z[N].clone() } else { back(&p.u[N], &d_z[N]) };
                let by = if self.reset_after { &s.q } else { &s.h_prev };
                for k in 0..self.units {
                    d_z[RESET][k] = d_q[k] * by[k] * r[k] * (1.0 - r[k]);
                }
                let mut arriving = d_z[..N].to_vec();
                if self.reset_after {
                    arriving.push(product(&d_z[N], r));
                } else {
                    add(&mut d_h_prev, &product(&d_q, r));
                    outer(&mut d.u[N], &d_z[N], &s.q);
                    add(&mut d.by_h[N], &d_z[N]);
                }
                d_u = Some(arriving);
            }
            Cell::Rnn => {
                let state = &self.act["state"];
                d_z[0] = d_h.iter().zip(&s.h).map(|(d, &h)| d * slope(state, h)).collect();
            }
        }
        let mut d_x = vec![0.0; s.x.len()];
        for (k, d_z) in d_z.iter().enumerate() {
            outer(&mut d.w[k], d_z, &s.x);
            add(&mut d.by_x[k], d_z);
            add(&mut d_x, &back(&p.w[k], d_z));
        }
        for (k, d_u) in d_u.as_ref().unwrap_or(&d_z).iter().enumerate() {
            outer(&mut d.u[k], d_u, &s.h_prev);
            add(&mut d.by_h[k], d_u);
            add(&mut d_h_prev, &back(&p.u[k], d_u));
        }
        (d_x, d_h_prev, d_c_prev)
    }

    fn lstm_back(
        &self,
        p: &Weights,
        d: &mut Weights,
        s: &Step,
        d_h: &[f64],
        d_c: &[f64],
        d_z: &mut [Vector],
    ) -> Vector {
        let (gates, units) = (&self.act["gate"], self.units);
        let mut d_m = d_h.to_vec();
        if !p.r.is_empty() {
            d_m = back(&p.r, d_h);
            outer(&mut d.r, d_h, &s.m);
        }
        let mut d_c_prev = vec![0.0; units];
        for k in 0..units {
            let through = |gate: usize, name: &str, d_gate: f64| match self.removed[gate] {
                true => 0.0,
                false => d_gate * slope(name, s.s[gate][k]) * passes(s.z[gate][k], self.clip),
            };
            d_z[O][k] = through(O, gates, d_m[k] * s.a[k]);
            let mut d_cell = d_c[k] + d_m[k] * s.s[O][k] * slope(&self.act["hidden"], s.a[k]);
            if self.peephole {
                d_cell += d_z[O][k] * p.p[2 * units + k];
            }
            d_cell *= passes(s.sum[k], self.cell_clip);
            let (mut d_i, mut d_f) = (d_cell * s.s[G][k], d_cell * s.c_prev[k]);
            if self.coupled {
                (d_i, d_f) = (d_i - d_f, 0.0);
            }
            d_z[I][k] = through(I, gates, d_i);
            d_z[F][k] = through(F, gates, d_f);
            d_z[G][k] = through(G, &self.act["cell"], d_cell * s.s[I][k]);
            d_c_prev[k] = d_cell * s.s[F][k];
            if self.peephole {
                d_c_prev[k] += d_z[I][k] * p.p[k] + d_z[F][k] * p.p[units + k];
                d.p[k] += d_z[I][k] * s.c_prev[k];
                d.p[units + k] += d_z[F][k] * s.c_prev[k];
                d.p[2 * units + k] += d_z[O][k] * s.c[k];
            }
        }
        d_c_prev
    }

    // ---- Layers, directions, sequences ----

    /// Where step t of sequence b is in x or output, of rows of a size.
    fn place(&self, b: usize, t: usize, size: usize) -> std::ops::Range<usize> {
        let row = if self.batch_first { b * self.steps + t } else { t * self.batch + b };
        row * size..(row + 1) * size
    }

    fn solve(&self) -> BTreeMap<String, Vector> {
        let (ways, wide) = (self.ways, self.projected * self.ways);
        let runs = self.layers * ways;
        let mut found = BTreeMap::new();
        let mut sizes = vec![("h", self.projected)];
        if self.cell == Cell::Lstm {
            sizes.push(("c", self.units));
        }
        for (s, size) in sizes {
            found.insert(format!("{s}_n"), vec![0.0; runs * self.batch * size]);
            found.insert(format!("grad_{s}_0"), vec![0.0; runs * self.batch * size]);
        }
        let mut output = vec![0.0; self.steps * self.batch * wide];
        let mut grad_x = vec![0.0; self.steps * self.batch * self.inputs];
        let suffix = |n| format!("_l{}{}", n / ways, ["", "_reverse"][n % ways]);
        let mut weights: Vec<_> = (0..runs).map(|n| self.weights(&suffix(n))).collect();
        for b in 0..self.batch {
            let steps = self.lengths.get(b).copied().unwrap_or(self.steps);
            let state = |name: &str, n: usize, size: usize| match self.given.get(name) {
                Some(a) => a[(n * self.batch + b) * size..][..size].to_vec(),
                None => vec![0.0; size],
            };
            let mut keep = |name: &str, n: usize, v: &[f64]| {
                if let Some(to) = found.get_mut(name) {
                    to[(n * self.batch + b) * v.len()..][..v.len()].copy_from_slice(v);
                }
            };
            // The steps that run n takes, in its order.
            let order = |n: usize| -> Vec<usize> {
                let back = self.reverse || n % ways == 1;
                if back {
                    (0..steps).rev().collect()
                } else {
                    (0..steps).collect()
                }
            };
            let x = |t| self.given["x"][self.place(b, t, self.inputs)].to_vec();
            let mut xs: Vec<Vector> = (0..steps).map(x).collect();
            let mut halves = vec![vec![]; steps];
            let mut tapes = vec![];
            for n in 0..runs {
                let (mut h, mut c) = (state("h_0", n, self.projected), state("c_0", n, self.units));
                let mut tape: Vec<Step> = (0..steps).map(|_| Step::default()).collect();
                for t in order(n) {
                    let s = self.step(&weights[n].0, &xs[t], &h, &c);
                    (h, c) = (s.h.clone(), s.c.clone());
                    halves[t].extend(&h);
                    tape[t] = s;
                }
                tapes.push(tape);
                keep("h_n", n, &h);
                keep("c_n", n, &c);
                if n % ways == ways - 1 {
                    xs = std::mem::replace(&mut halves, vec![vec![]; steps]);
                }
            }
            let arriving = |t| self.given["d_output"][self.place(b, t, wide)].to_vec();
            let mut d_hs: Vec<Vector> = (0..steps).map(arriving).collect();
            for (t, h) in xs.iter().enumerate() {
                output[self.place(b, t, wide)].copy_from_slice(h);
            }
            let mut below = vec![vec![]; steps];
            for n in (0..runs).rev() {
                let (p, d) = &mut weights[n];
                let (mut d_h, mut d_c) =
                    (state("d_h_n", n, self.projected), state("d_c_n", n, self.units));
                for &t in order(n).iter().rev() {
                    add(&mut d_h, &d_hs[t][n % ways * self.projected..]);
                    let (d_x, d_h_prev, d_c_prev) = self.step_back(p, d, &tapes[n][t], &d_h, d_c);
                    (d_h, d_c) = (d_h_prev, d_c_prev);
                    below[t].resize(d_x.len(), 0.0);
                    add(&mut below[t], &d_x);
                }
                keep("grad_h_0", n, &d_h);
                keep("grad_c_0", n, &d_c);
                if n % ways == 0 {
                    d_hs = std::mem::replace(&mut below, vec![vec![]; steps]);
                }
            }
            for (t, d_x) in d_hs.iter().enumerate() {
                grad_x[self.place(b, t, self.inputs)].copy_from_slice(d_x);
            }
        }
        found.insert("output".into(), output);
        found.insert("grad_x".into(), grad_x);
        for (n, (_, d)) in weights.into_iter().enumerate() {
            let named = [
                ("bias_hn", d.by_h.get(N).cloned().unwrap_or_default()),
                ("weight_ih", d.w.concat()),
                ("weight_hh", d.u.concat()),
                ("bias_ih", d.by_x.concat()),
                ("bias_hh", d.by_h.concat()),
                ("bias", d.by_x.concat()),
                ("weight_hr", d.r),
                ("peephole", d.p),
            ];
            for (name, grad) in named {
                found.insert(format!("grad_{name}{}", suffix(n)), grad);
            }
        }
        let asked =
            |name: &str| name.strip_prefix("grad_").map_or(true, |k| self.given.contains_key(k));
        found.retain(|name, _| asked(name));
        found
    }
}

fn run(folder: &Path, results: &Path, name: &str) -> Result<(), std::io::Error> {
    let found = read(folder, name)?.solve();
    let lines: Vec<_> = found.iter().map(|(name, a)| format!("{name:?}: {a:?}")).collect();
    let text = format!("{{\"dtype\": \"float64\", \"results\": {{\n{}\n}}}}\n", lines.join(",\n"));
    fs::write(results.join(name), text)
}

fn main() {
    let arguments: Vec<_> = env::args().collect();
    if arguments.len() != 3 {
        eprintln!("use: lstm CASES RESULTS");
        process::exit(2);
    }
    let (folder, results) = (Path::new(&arguments[1]), Path::new(&arguments[2]));
    let entries = fs::read_dir(folder).expect("no such folder");
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        if name.ends_with(".json") {
            run(folder, results, &name).unwrap_or_else(|error| {
                eprintln!("{name}: {error}");
                process::exit(2)
            });
        }
    }
}
