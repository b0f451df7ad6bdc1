// LSTM, GRU and RNN in Go, forward and backward, with every option of the conformance kit.
//
//	go run ports/go/lstm.go kit/cases results    reads each kit/cases/ID.json, writes results/ID.json
//
// One sequence at a time, a gate at a time. Matrices are flat, rows one behind the other.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// ---- A case ----

type Array struct {
	Data []float64 `json:"data"`
}

type Case struct {
	Cell, Direction, Arrays string
	T, B, D, H, P, Layers   int
	BatchFirst              bool `json:"batch_first"`
	ResetAfter              bool `json:"reset_after"`
	Peephole, Coupled       bool
	Lengths                 []int
	Removed                 []string
	Clip                    *float64
	CellClip                *float64 `json:"cell_clip"`
	Activations             map[string]string
	Inputs                  map[string]Array
	given                   map[string][]float64
	gates                   []string
	act                     map[string]Activation
}

var gates = map[string][]string{"LSTM": {"i", "f", "g", "o"}, "GRU": {"r", "z", "n"}, "RNN": {"h"}}

// Read a case, its inputs from the safetensors file beside it if it names one.
func read(folder, name string) (*Case, error) {
	c := &Case{given: map[string][]float64{}, act: map[string]Activation{}}
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err == nil {
		err = json.Unmarshal(text, c)
	}
	if err != nil {
		return nil, err
	}
	for name, array := range c.Inputs {
		c.given[name] = array.Data
	}
	for place, name := range c.Activations {
		c.act[place] = activations[name]
	}
	c.gates = gates[c.Cell]
	if c.Arrays == "" {
		return c, nil
	}
	bytes, err := os.ReadFile(filepath.Join(folder, c.Arrays))
	if err != nil {
		return nil, err
	}
	start := 8 + int(binary.LittleEndian.Uint64(bytes))
	header := map[string]struct {
		Offsets [2]int `json:"data_offsets"`
	}{}
	if err := json.Unmarshal(bytes[8:start], &header); err != nil {
		return nil, err
	}
	for name, v := range header {
		if !strings.HasPrefix(name, "inputs.") {
			continue
		}
		a := make([]float64, (v.Offsets[1]-v.Offsets[0])/8)
		for k := range a {
			at := start + v.Offsets[0] + 8*k
			a[k] = math.Float64frombits(binary.LittleEndian.Uint64(bytes[at:]))
		}
		c.given[name[len("inputs."):]] = a
	}
	return c, nil
}

// ---- Activations, their slopes by their values, and bounds ----

type Activation struct{ of, slope func(float64) float64 }

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

func cut(s float64) float64 { return math.Min(1, math.Max(0, s)) }

func hard(slope float64) Activation {
	return Activation{
		func(z float64) float64 { return cut(slope*z + 0.5) },
		func(s float64) float64 {
			if s > 0 && s < 1 {
				return slope
			}
			return 0
		},
	}
}

var activations = map[string]Activation{
	"sigmoid": {sigmoid, func(s float64) float64 { return s * (1 - s) }},
	"tanh":    {math.Tanh, func(s float64) float64 { return (1 - s) * (1 + s) }},
	"relu": {
		func(z float64) float64 { return math.Max(z, 0) },
		func(s float64) float64 {
			if s > 0 {
				return 1
			}
			return 0
		},
	},
	"softsign": {
		func(z float64) float64 { return z / (1 + math.Abs(z)) },
		func(s float64) float64 { return (1 - math.Abs(s)) * (1 - math.Abs(s)) },
	},
	"hard_sigmoid":   hard(0.2),
	"hard_sigmoid_6": hard(1.0 / 6),
	"identity": {
		func(z float64) float64 { return z },
		func(float64) float64 { return 1 },
	},
}

func clipped(z float64, bound *float64) float64 {
	if bound == nil {
		return z
	}
	return math.Min(*bound, math.Max(-*bound, z))
}

func passes(z float64, bound *float64) float64 {
	if bound == nil || math.Abs(z) <= *bound {
		return 1
	}
	return 0
}

// ---- Vectors and matrices ----

type Vector = []float64

func add(to, from Vector) {
	for k, v := range from {
		to[k] += v
	}
}

func each(v Vector, f func(float64) float64) Vector {
	out := make(Vector, len(v))
	for k := range v {
		out[k] = f(v[k])
	}
	return out
}

func product(a, b Vector) Vector {
	out := make(Vector, len(a))
	for k := range a {
		out[k] = a[k] * b[k]
	}
	return out
}

// m v, of a matrix with rows as long as v.
func times(m, v Vector) Vector {
	out := make(Vector, len(m)/len(v))
	for r := range out {
		for k := range v {
			out[r] += m[r*len(v)+k] * v[k]
		}
	}
	return out
}

// The transpose of m times d.
func back(m, d Vector) Vector {
	out := make(Vector, len(m)/len(d))
	for r := range d {
		for k := range out {
			out[k] += m[r*len(out)+k] * d[r]
		}
	}
	return out
}

// dm += d v^T
func outer(dm, d, v Vector) {
	for r := range d {
		for k := range v {
			dm[r*len(v)+k] += d[r] * v[k]
		}
	}
}

// ---- One direction of one layer ----

// Weights, or their gradients, by gate.
type Weights struct {
	W, U, x, h map[string]Vector // x and h: the biases
	R, p       Vector            // projection and peepholes of i, f, o; empty where there are none
}

func weights() *Weights {
	empty := func() map[string]Vector { return map[string]Vector{} }
	return &Weights{W: empty(), U: empty(), x: empty(), h: empty()}
}

func (c *Case) weights(suffix string) (p, d *Weights) {
	p, d = weights(), weights()
	single := "bias"
	if _, two := c.given["bias_ih"+suffix]; two {
		single = "bias_ih"
	}
	block := func(name string, k int) Vector {
		m := c.given[name+suffix]
		if m == nil {
			return make(Vector, c.H)
		}
		n := len(m) / len(c.gates)
		return m[k*n : (k+1)*n]
	}
	for k, gate := range c.gates {
		p.W[gate], p.U[gate] = block("weight_ih", k), block("weight_hh", k)
		p.x[gate], p.h[gate] = block(single, k), block("bias_hh", k)
		if own, there := c.given["bias_hn"+suffix]; there && gate == "n" {
			p.h[gate] = own
		}
		d.W[gate], d.U[gate] = make(Vector, len(p.W[gate])), make(Vector, len(p.U[gate]))
		d.x[gate], d.h[gate] = make(Vector, c.H), make(Vector, c.H)
	}
	p.R, p.p = c.given["weight_hr"+suffix], c.given["peephole"+suffix]
	d.R, d.p = make(Vector, len(p.R)), make(Vector, len(p.p))
	return p, d
}

// What a step keeps for the way back.
type Step struct {
	x, hPrev, cPrev, h, c Vector
	z, s                  map[string]Vector // pre-activations and gates
	sum, a, m, q          Vector
}

func (p *Weights) preActivation(gate string, x, h Vector) Vector {
	z := times(p.W[gate], x)
	add(z, times(p.U[gate], h))
	add(z, p.x[gate])
	add(z, p.h[gate])
	return z
}

func (c *Case) removed(gate string) bool {
	for _, name := range c.Removed {
		if name == gate {
			return true
		}
	}
	return false
}

func (c *Case) step(p *Weights, x, h, cell Vector) *Step {
	s := &Step{x: x, hPrev: h, cPrev: cell, c: cell, z: map[string]Vector{}, s: map[string]Vector{}}
	switch c.Cell {
	case "RNN":
		s.h = each(p.preActivation("h", x, h), c.act["state"].of)
	case "GRU":
		s.s["r"] = each(p.preActivation("r", x, h), sigmoid)
		s.s["z"] = each(p.preActivation("z", x, h), sigmoid)
		z := times(p.W["n"], x)
		add(z, p.x["n"])
		if c.ResetAfter {
			s.q = times(p.U["n"], h)
			add(s.q, p.h["n"])
			add(z, product(s.s["r"], s.q))
		} else {
			s.q = product(s.s["r"], h)
			add(z, times(p.U["n"], s.q))
			add(z, p.h["n"])
		}
		n := each(z, math.Tanh)
		s.s["n"], s.h = n, make(Vector, c.H)
		for k, u := range s.s["z"] {
			s.h[k] = (1-u)*n[k] + u*h[k]
		}
	default:
		c.lstm(p, s)
	}
	return s
}

func (c *Case) lstm(p *Weights, s *Step) {
	H := c.H
	for _, gate := range c.gates {
		s.z[gate], s.s[gate] = p.preActivation(gate, s.x, s.hPrev), make(Vector, H)
	}
	s.c, s.sum, s.a, s.m = make(Vector, H), make(Vector, H), make(Vector, H), make(Vector, H)
	for k := 0; k < H; k++ {
		gate := func(name string) float64 {
			if c.removed(name) {
				return 1
			}
			return c.act["gate"].of(clipped(s.z[name][k], c.Clip))
		}
		if c.Peephole {
			s.z["i"][k] += p.p[k] * s.cPrev[k]
			s.z["f"][k] += p.p[H+k] * s.cPrev[k]
		}
		i, f := gate("i"), gate("f")
		if c.Coupled {
			f = 1 - i
		}
		g := c.act["cell"].of(clipped(s.z["g"][k], c.Clip))
		s.sum[k] = f*s.cPrev[k] + i*g
		s.c[k] = clipped(s.sum[k], c.CellClip)
		if c.Peephole {
			s.z["o"][k] += p.p[2*H+k] * s.c[k]
		}
		o := gate("o")
		s.a[k] = c.act["hidden"].of(s.c[k])
		s.m[k] = o * s.a[k]
		s.s["i"][k], s.s["f"][k], s.s["g"][k], s.s["o"][k] = i, f, g, o
	}
	s.h = s.m
	if c.P > 0 {
		s.h = times(p.R, s.m)
	}
}

// From the gradients of the state after a step, those of its input and of the state before.
func (c *Case) stepBack(p, d *Weights, s *Step, dH, dC Vector) (dX, dHPrev, dCPrev Vector) {
	dHPrev, dCPrev = make(Vector, len(s.hPrev)), dC
	dZ := map[string]Vector{}
	for _, gate := range c.gates {
		dZ[gate] = make(Vector, c.H)
	}
	dU := dZ // what arrives at U h
	switch c.Cell {
	case "RNN":
		dZ["h"] = product(dH, each(s.h, c.act["state"].slope))
	case "GRU":
		r, z, n := s.s["r"], s.s["z"], s.s["n"]
		for k := range n {
			dZ["n"][k] = dH[k] * (1 - z[k]) * (1 - n[k]*n[k])
			dZ["z"][k] = dH[k] * (s.hPrev[k] - n[k]) * z[k] * (1 - z[k])
			dHPrev[k] = dH[k] * z[k]
		}
		dQ, by := dZ["n"], s.q
		if !c.ResetAfter {
			dQ, by = back(p.U["n"], dZ["n"]), s.hPrev
		}
		for k := range r {
			dZ["r"][k] = dQ[k] * by[k] * r[k] * (1 - r[k])
		}
		dU = map[string]Vector{"r": dZ["r"], "z": dZ["z"]}
		if c.ResetAfter {
			dU["n"] = product(dZ["n"], r)
		} else {
			add(dHPrev, product(dQ, r))
			outer(d.U["n"], dZ["n"], s.q)
			add(d.h["n"], dZ["n"])
		}
	default:
		dCPrev = c.lstmBack(p, d, s, dH, dC, dZ)
	}
	dX = make(Vector, len(s.x))
	for gate, dz := range dZ {
		outer(d.W[gate], dz, s.x)
		add(d.x[gate], dz)
		add(dX, back(p.W[gate], dz))
	}
	for gate, du := range dU {
		outer(d.U[gate], du, s.hPrev)
		add(d.h[gate], du)
		add(dHPrev, back(p.U[gate], du))
	}
	return dX, dHPrev, dCPrev
}

func (c *Case) lstmBack(p, d *Weights, s *Step, dH, dC Vector, dZ map[string]Vector) Vector {
	H, dCPrev, dM := c.H, make(Vector, c.H), dH
	if c.P > 0 {
		dM = back(p.R, dH)
		outer(d.R, dH, s.m)
	}
	for k := 0; k < H; k++ {
		through := func(gate, place string, dGate float64) float64 {
			if c.removed(gate) {
				return 0
			}
			return dGate * c.act[place].slope(s.s[gate][k]) * passes(s.z[gate][k], c.Clip)
		}
		dZ["o"][k] = through("o", "gate", dM[k]*s.a[k])
		dCell := dC[k] + dM[k]*s.s["o"][k]*c.act["hidden"].slope(s.a[k])
		if c.Peephole {
			dCell += dZ["o"][k] * p.p[2*H+k]
		}
		dCell *= passes(s.sum[k], c.CellClip)
		dI, dF := dCell*s.s["g"][k], dCell*s.cPrev[k]
		if c.Coupled {
			dI, dF = dI-dF, 0
		}
		dZ["i"][k], dZ["f"][k] = through("i", "gate", dI), through("f", "gate", dF)
		dZ["g"][k] = through("g", "cell", dCell*s.s["i"][k])
		dCPrev[k] = dCell * s.s["f"][k]
		if c.Peephole {
			dCPrev[k] += dZ["i"][k]*p.p[k] + dZ["f"][k]*p.p[H+k]
			d.p[k] += dZ["i"][k] * s.cPrev[k]
			d.p[H+k] += dZ["f"][k] * s.cPrev[k]
			d.p[2*H+k] += dZ["o"][k] * s.c[k]
		}
	}
	return dCPrev
}

// ---- Layers, directions, sequences ----

func (c *Case) solve() map[string]Vector {
	R, ways, found := c.H, 1, map[string]Vector{}
	if c.P > 0 {
		R = c.P
	}
	if c.Direction == "bidirectional" {
		ways = 2
	}
	S, wide, sizes := c.Layers*ways, R*ways, map[string]int{"h": R}
	if c.Cell == "LSTM" {
		sizes["c"] = c.H
	}
	for s, size := range sizes {
		found[s+"_n"], found["grad_"+s+"_0"] = make(Vector, S*c.B*size), make(Vector, S*c.B*size)
	}
	found["output"], found["grad_x"] = make(Vector, c.T*c.B*wide), make(Vector, c.T*c.B*c.D)
	p, d := make([]*Weights, S), make([]*Weights, S)
	suffixes := make([]string, S)
	for n := range p {
		suffixes[n] = fmt.Sprintf("_l%d%s", n/ways, []string{"", "_reverse"}[n%ways])
		p[n], d[n] = c.weights(suffixes[n])
	}
	// Step t of sequence b, of rows of a size, and the state of run n.
	place := func(a Vector, b, t, size int) Vector {
		row := t*c.B + b
		if c.BatchFirst {
			row = b*c.T + t
		}
		return a[row*size : (row+1)*size]
	}
	state := func(name string, n, b, size int) Vector {
		out := make(Vector, size)
		if a := c.given[name]; a != nil {
			copy(out, a[(n*c.B+b)*size:])
		}
		return out
	}
	keep := func(name string, n, b int, v Vector) {
		if to, there := found[name]; there {
			copy(to[(n*c.B+b)*len(v):], v)
		}
	}
	for b := 0; b < c.B; b++ {
		steps := c.T
		if c.Lengths != nil {
			steps = c.Lengths[b]
		}
		when := func(n, k int) int { // which step run n takes as its k-th
			if c.Direction == "reverse" || n%ways == 1 {
				return steps - 1 - k
			}
			return k
		}
		tapes, xs, halves := make([][]*Step, S), make([]Vector, steps), []Vector(nil)
		for t := range xs {
			xs[t] = place(c.given["x"], b, t, c.D)
		}
		for n := range p {
			if n%ways == 0 {
				halves = make([]Vector, steps)
			}
			h, cell := state("h_0", n, b, R), state("c_0", n, b, c.H)
			tapes[n] = make([]*Step, steps)
			for k := range xs {
				t := when(n, k)
				s := c.step(p[n], xs[t], h, cell)
				h, cell, tapes[n][t] = s.h, s.c, s
				halves[t] = append(halves[t], h...)
			}
			keep("h_n", n, b, h)
			keep("c_n", n, b, cell)
			if n%ways == ways-1 {
				xs = halves
			}
		}
		dHs, below := make([]Vector, steps), []Vector(nil)
		for t := range dHs {
			copy(place(found["output"], b, t, wide), xs[t])
			dHs[t] = place(c.given["d_output"], b, t, wide)
		}
		for n := S - 1; n >= 0; n-- {
			dH, dC := state("d_h_n", n, b, R), state("d_c_n", n, b, c.H)
			if below == nil {
				below = make([]Vector, steps)
			}
			for k := steps - 1; k >= 0; k-- {
				var dX Vector
				t := when(n, k)
				add(dH, dHs[t][n%ways*R:(n%ways+1)*R])
				dX, dH, dC = c.stepBack(p[n], d[n], tapes[n][t], dH, dC)
				if below[t] == nil {
					below[t] = make(Vector, len(dX))
				}
				add(below[t], dX)
			}
			keep("grad_h_0", n, b, dH)
			keep("grad_c_0", n, b, dC)
			if n%ways == 0 {
				dHs, below = below, nil
			}
		}
		for t, dX := range dHs {
			copy(place(found["grad_x"], b, t, c.D), dX)
		}
	}
	for n, suffix := range suffixes {
		all := func(blocks map[string]Vector) (joined Vector) {
			for _, gate := range c.gates {
				joined = append(joined, blocks[gate]...)
			}
			return joined
		}
		grads := map[string]Vector{
			"weight_ih": all(d[n].W), "weight_hh": all(d[n].U), "bias_ih": all(d[n].x),
			"bias_hh": all(d[n].h), "bias": all(d[n].x), "bias_hn": d[n].h["n"],
			"weight_hr": d[n].R, "peephole": d[n].p,
		}
		for name, grad := range grads {
			found["grad_"+name+suffix] = grad
		}
	}
	for name := range found {
		of := strings.TrimPrefix(name, "grad_")
		if _, there := c.given[of]; of != name && !there {
			delete(found, name)
		}
	}
	return found
}

func run(folder, results, name string) error {
	c, err := read(folder, name)
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{"dtype": "float64", "results": c.solve()})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(results, name), text, 0o644)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "use: lstm CASES RESULTS")
		os.Exit(2)
	}
	paths, _ := filepath.Glob(filepath.Join(os.Args[1], "*.json"))
	for _, path := range paths {
		if err := run(os.Args[1], os.Args[2], filepath.Base(path)); err != nil {
			fmt.Fprintln(os.Stderr, path, err)
			os.Exit(2)
		}
	}
}
