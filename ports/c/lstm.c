/* LSTM, GRU and RNN in C, forward and backward, with every option of the conformance kit.

   gcc -O2 -o lstm ports/c/lstm.c -lm
   ./lstm kit/cases results        reads each kit/cases/ID.json, writes results/ID.json

   One sequence at a time, one number at a time: a port to start from, not a fast one. With
   -Dreal=float it computes in float32. Arrays are flat, the last index fastest. */
#include <dirent.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef real
#define real double
#endif

/* ---- JSON, as much of it as a case needs ---- */

typedef struct Value Value;
struct Value { char *key, *text; double number; int count; Value *items; };

static const char *at;  /* what is read next */

static void stop(const char *why) { fprintf(stderr, "lstm: %s\n", why); exit(2); }

static void *get(size_t n, size_t size) {
    void *p = calloc(n ? n : 1, size);
    if (!p) stop("out of memory");
    return p;
}

static char *string(void) {
    const char *start = ++at;
    while (*at && *at != '"') at += *at == '\\' && at[1] ? 2 : 1;
    char *s = get(at - start + 1, 1);
    memcpy(s, start, at - start);
    if (*at) at++;
    return s;
}

static void space(void) { while (*at && strchr(" \t\r\n,:", *at)) at++; }

static Value value(void) {
    Value v = {0};
    space();
    if (*at == '"') v.text = string();
    else if (*at == '{' || *at == '[') {
        char end = *at++ == '{' ? '}' : ']';
        int room = 0;
        for (space(); *at && *at != end; space()) {
            if (v.count == room) v.items = realloc(v.items, (room = 2 * room + 8) * sizeof(Value));
            char *key = end == '}' ? string() : NULL;
            v.items[v.count] = value();
            v.items[v.count++].key = key;
        }
        if (*at) at++;
    } else if (!strncmp(at, "true", 4)) { v.number = 1; at += 4; }
    else if (!strncmp(at, "false", 5)) at += 5;
    else if (!strncmp(at, "null", 4)) { v.text = ""; at += 4; }
    else {
        char *end;
        v.number = strtod(at, &end);
        if (end == at) stop("not JSON");
        at = end;
    }
    return v;
}

static Value *find(Value *v, const char *key) {
    for (int k = 0; v && k < v->count; k++)
        if (v->items[k].key && !strcmp(v->items[k].key, key)) return &v->items[k];
    return NULL;
}

static char *whole_file(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) stop(path);
    fseek(f, 0, SEEK_END);
    *size = ftell(f);
    rewind(f);
    char *s = get(*size + 1, 1);
    if (fread(s, 1, *size, f) != *size) stop(path);
    fclose(f);
    return s;
}

/* ---- A case ---- */

static Value file, *inputs;
static char *tensors, *folder;  /* of a safetensors file: header, then numbers */
static Value header;
static int T, B, D, H, P, R, layers, ways, reverse, batch_first, reset_after, peephole, coupled;
static int lstm, gru, rnn, gates, has_clip, has_cell_clip, no_i, no_f, no_o;
static real clip_z, clip_c;
static const char *act_gate, *act_cell, *act_hidden, *act_state;

static int whole(const char *key) { Value *v = find(&file, key); return v ? (int)v->number : 0; }

static int removed(const char *gate) {
    Value *v = find(&file, "removed");
    for (int k = 0; v && k < v->count; k++)
        if (!strcmp(v->items[k].text, gate)) return 1;
    return 0;
}

static const char *act(const char *place) {
    Value *v = find(find(&file, "activations"), place);
    return v ? v->text : "";
}

/* Return an input, or NULL where the case has none. */
static real *input(const char *name, const char *suffix) {
    char key[80];
    snprintf(key, sizeof key, "%s%s%s", tensors ? "inputs." : "", name, suffix);
    Value *v = find(tensors ? &header : inputs, key);
    if (!v) return NULL;
    real *a;
    if (tensors) {  /* float64, from one byte to another of what follows the header */
        uint64_t before;
        memcpy(&before, tensors, 8);
        Value *offsets = find(v, "data_offsets");
        size_t from = offsets->items[0].number, n = (offsets->items[1].number - from) / 8;
        a = get(n, sizeof(real));
        for (size_t k = 0; k < n; k++) {
            double number;
            memcpy(&number, tensors + 8 + before + from + 8 * k, 8);
            a[k] = number;
        }
        return a;
    }
    v = find(v, "data");
    a = get(v->count, sizeof(real));
    for (int k = 0; k < v->count; k++) a[k] = v->items[k].number;
    return a;
}

/* ---- Activations, their slopes by their values, and bounds ---- */

static real f_of(const char *name, real z) {
    if (!strcmp(name, "sigmoid")) return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
    if (!strcmp(name, "tanh")) return tanh(z);
    if (!strcmp(name, "relu")) return z > 0 ? z : 0;
    if (!strcmp(name, "softsign")) return z / (1 + fabs(z));
    if (!strcmp(name, "hard_sigmoid")) return fmin(1, fmax(0, z / 5 + 0.5));
    if (!strcmp(name, "hard_sigmoid_6")) return fmin(1, fmax(0, z / 6 + 0.5));
    return z;
}

static real slope(const char *name, real s) {
    if (!strcmp(name, "sigmoid")) return s * (1 - s);
    if (!strcmp(name, "tanh")) return (1 - s) * (1 + s);
    if (!strcmp(name, "relu")) return s > 0;
    if (!strcmp(name, "softsign")) return (1 - fabs(s)) * (1 - fabs(s));
    if (!strcmp(name, "hard_sigmoid")) return s > 0 && s < 1 ? (real)0.2 : 0;
    if (!strcmp(name, "hard_sigmoid_6")) return s > 0 && s < 1 ? (real)1 / 6 : 0;
    return 1;
}

static real bounded(real z, int has, real bound) { return has ? fmin(bound, fmax(-bound, z)) : z; }
static real passes(real z, int has, real bound) { return !has || fabs(z) <= bound; }

/* ---- One direction of one layer ---- */

enum { I, F, G, O };     /* rows of the LSTM's weights */
enum { RESET, Z, N };    /* and of the GRU's */

typedef struct {
    int in;                                     /* size of its input */
    real *W, *U, *b_x, *b_h, *b_n, *V, *p;      /* V projects, p are peepholes; NULL where none */
    real *d_W, *d_U, *d_b, *d_b_n, *d_V, *d_p;
    real *x, *h, *c, *z, *a, *sum, *m, *q;      /* of all steps; h, c: one more, the start */
} Run;

static real *rows(real *a, int t, int size) { return a ? a + (size_t)t * size : NULL; }

static real bias(Run *r, int row) {
    real b = r->b_x ? r->b_x[row] : 0;
    int later = gru && reset_after && row >= N * H;  /* the candidate's comes before the reset */
    if (r->b_h && !later) b += r->b_h[row];
    return b;
}

static real dot(const real *w, const real *v, int n) {
    real s = 0;
    for (int k = 0; k < n; k++) s += w[k] * v[k];
    return s;
}

static void step(Run *r, int t) {
    real *x = rows(r->x, t, r->in), *h = rows(r->h, t, R), *h_new = h + R, *c = rows(r->c, t, H);
    real *z = rows(r->z, t, gates * H), *a = rows(r->a, t, gates * H), *q = rows(r->q, t, H);
    real *c_new = c + H, *sum = rows(r->sum, t, H), *m = rows(r->m, t, H);
    for (int k = 0; k < gates * H; k++) {
        z[k] = dot(r->W + k * r->in, x, r->in) + bias(r, k);
        if (!gru || k < N * H) z[k] += dot(r->U + k * R, h, R);
    }
    for (int u = 0; u < H && lstm; u++) {
        if (peephole) {
            z[I * H + u] += r->p[u] * c[u];
            z[F * H + u] += r->p[H + u] * c[u];
        }
        real i = f_of(act_gate, bounded(z[I * H + u], has_clip, clip_z));
        real f = f_of(act_gate, bounded(z[F * H + u], has_clip, clip_z));
        real g = f_of(act_cell, bounded(z[G * H + u], has_clip, clip_z));
        if (coupled) f = 1 - i;
        if (no_i) i = 1;
        if (no_f) f = 1;
        sum[u] = f * c[u] + i * g;
        c_new[u] = bounded(sum[u], has_cell_clip, clip_c);
        if (peephole) z[O * H + u] += r->p[2 * H + u] * c_new[u];
        real o = f_of(act_gate, bounded(z[O * H + u], has_clip, clip_z));
        if (no_o) o = 1;
        m[u] = o * f_of(act_hidden, c_new[u]);
        a[I * H + u] = i, a[F * H + u] = f, a[G * H + u] = g, a[O * H + u] = o;
    }
    for (int u = 0; u < R && lstm; u++) h_new[u] = P ? dot(r->V + u * H, m, H) : m[u];
    for (int u = 0; u < 2 * H && gru; u++) a[u] = f_of("sigmoid", z[u]);
    for (int u = 0; u < H && gru; u++) {
        real *U_n = r->U + (N * H + u) * H;
        if (reset_after) {
            q[u] = dot(U_n, h, H) + (r->b_n ? r->b_n[u] : 0);
            z[N * H + u] += a[RESET * H + u] * q[u];
        } else {
            for (int k = 0; k < H; k++) z[N * H + u] += U_n[k] * a[RESET * H + k] * h[k];
        }
        real n = a[N * H + u] = tanh(z[N * H + u]);
        h_new[u] = (1 - a[Z * H + u]) * n + a[Z * H + u] * h[u];
    }
    for (int u = 0; u < H && rnn; u++) h_new[u] = a[u] = f_of(act_state, z[u]);
}

/* d_h and d_c: of the state after the step, then of that before it. */
static void step_back(Run *r, int t, real *d_h, real *d_c, real *d_x) {
    real *x = rows(r->x, t, r->in), *h = rows(r->h, t, R), *c = rows(r->c, t, H), *c_new = c + H;
    real *z = rows(r->z, t, gates * H), *a = rows(r->a, t, gates * H), *q = rows(r->q, t, H);
    real *sum = rows(r->sum, t, H), *m = rows(r->m, t, H);
    real *d_z = get(gates * H, sizeof(real)), *d_hz = get(gates * H, sizeof(real));
    real *d_prev = get(R, sizeof(real)), *d_q = get(H, sizeof(real));
    for (int u = 0; u < H && lstm; u++) {
        real i = a[I * H + u], f = a[F * H + u], g = a[G * H + u], o = a[O * H + u];
        real squashed = f_of(act_hidden, c_new[u]), d_m = P ? 0 : d_h[u];
        for (int k = 0; k < P; k++) {
            d_m += d_h[k] * r->V[k * H + u];
            r->d_V[k * H + u] += d_h[k] * m[u];
        }
        real d_o = d_m * squashed;
        d_z[O * H + u] = d_o * slope(act_gate, o) * passes(z[O * H + u], has_clip, clip_z);
        if (no_o) d_z[O * H + u] = 0;
        real d_cell = d_c[u] + d_m * o * slope(act_hidden, squashed);
        if (peephole) d_cell += d_z[O * H + u] * r->p[2 * H + u];
        d_cell *= passes(sum[u], has_cell_clip, clip_c);
        real d_i = d_cell * g, d_f = d_cell * c[u], d_g = d_cell * i;
        if (coupled) d_i -= d_f, d_f = 0;
        d_z[I * H + u] = d_i * slope(act_gate, i) * passes(z[I * H + u], has_clip, clip_z);
        d_z[F * H + u] = d_f * slope(act_gate, f) * passes(z[F * H + u], has_clip, clip_z);
        d_z[G * H + u] = d_g * slope(act_cell, g) * passes(z[G * H + u], has_clip, clip_z);
        if (no_i) d_z[I * H + u] = 0;
        if (no_f) d_z[F * H + u] = 0;
        d_c[u] = d_cell * f;
        if (peephole) {
            d_c[u] += d_z[I * H + u] * r->p[u] + d_z[F * H + u] * r->p[H + u];
            r->d_p[u] += d_z[I * H + u] * c[u];
            r->d_p[H + u] += d_z[F * H + u] * c[u];
            r->d_p[2 * H + u] += d_z[O * H + u] * c_new[u];
        }
    }
    for (int u = 0; u < H && gru; u++) {
        real n = a[N * H + u], zu = a[Z * H + u];
        d_z[N * H + u] = d_h[u] * (1 - zu) * (1 - n * n);
        d_z[Z * H + u] = d_h[u] * (h[u] - n) * zu * (1 - zu);
        d_prev[u] = d_h[u] * zu;
    }
    for (int u = 0; u < H && gru; u++) {
        real reset = a[RESET * H + u];
        for (int k = 0; k < H; k++) d_q[u] += d_z[N * H + k] * r->U[(N * H + k) * H + u];
        real d_reset = reset_after ? d_z[N * H + u] * q[u] : d_q[u] * h[u];
        d_z[RESET * H + u] = d_reset * reset * (1 - reset);
        if (!reset_after) d_prev[u] += d_q[u] * reset;
    }
    for (int u = 0; u < H && rnn; u++) d_z[u] = d_h[u] * slope(act_state, a[u]);
    for (int k = 0; k < gates * H; k++) {  /* through the products */
        int candidate = gru && k >= N * H;
        d_hz[k] = candidate ? (reset_after ? d_z[k] * a[k - (N - RESET) * H] : 0) : d_z[k];
        for (int j = 0; j < r->in; j++) {
            r->d_W[k * r->in + j] += d_z[k] * x[j];
            d_x[j] += d_z[k] * r->W[k * r->in + j];
        }
        for (int j = 0; j < R; j++) {
            real seen = candidate && !reset_after ? d_z[k] * a[RESET * H + j] : d_hz[k];
            r->d_U[k * R + j] += seen * h[j];
            d_prev[j] += d_hz[k] * r->U[k * R + j];
        }
        r->d_b[k] += d_z[k];
        if (candidate) r->d_b_n[k - N * H] += reset_after ? d_hz[k] : d_z[k];
    }
    memcpy(d_h, d_prev, R * sizeof(real));
    free(d_z), free(d_hz), free(d_prev), free(d_q);
}

/* ---- Layers, directions, sequences ---- */

static FILE *out;
static int first;  /* whether nothing has been put there yet */

static void put(const char *name, const char *suffix, const real *a, size_t n) {
    fprintf(out, "%s\n\"%s%s\": [", first ? "" : ",", name, suffix);
    first = 0;
    for (size_t k = 0; k < n; k++) fprintf(out, "%s%.17g", k ? "," : "", (double)a[k]);
    fprintf(out, "]");
}

/* Where x or output of step t and sequence b is, of rows of a size. */
static real *place(real *a, int t, int b, int size) {
    return a + (size_t)(batch_first ? b * T + t : t * B + b) * size;
}

static void solve(void) {
    int S = layers * ways, wide = R * ways;
    char suffix[40];
    real *x = input("x", ""), *h_0 = input("h_0", ""), *c_0 = input("c_0", "");
    real *d_out = input("d_output", ""), *d_h_n = input("d_h_n", ""), *d_c_n = input("d_c_n", "");
    real *output = get(T * B * wide, sizeof(real)), *d_in = get(T * B * D, sizeof(real));
    real *h_n = get(S * B * R, sizeof(real)), *c_n = get(S * B * H, sizeof(real));
    real *d_h_0 = get(S * B * R, sizeof(real)), *d_c_0 = get(S * B * H, sizeof(real));
    Run *runs = get(S, sizeof(Run));
    Value *lengths = find(&file, "lengths");
    for (int n = 0; n < S; n++) {
        Run *r = &runs[n];
        snprintf(suffix, sizeof suffix, "_l%d%s", n / ways, n % ways ? "_reverse" : "");
        r->in = n < ways ? D : wide;
        r->W = input("weight_ih", suffix), r->U = input("weight_hh", suffix);
        r->b_x = input("bias_ih", suffix), r->b_h = input("bias_hh", suffix);
        r->V = input("weight_hr", suffix), r->p = input("peephole", suffix);
        if (!r->b_x) r->b_x = input("bias", suffix);
        r->b_n = gru && r->b_h ? r->b_h + N * H : input("bias_hn", suffix);
        r->d_W = get(gates * H * r->in, sizeof(real)), r->d_U = get(gates * H * R, sizeof(real));
        r->d_b = get(gates * H, sizeof(real)), r->d_b_n = get(H, sizeof(real));
        r->d_V = get(P * H, sizeof(real)), r->d_p = get(3 * H, sizeof(real));
        r->x = get(T * r->in, sizeof(real)), r->q = get(T * H, sizeof(real));
        r->h = get((T + 1) * R, sizeof(real)), r->c = get((T + 1) * H, sizeof(real));
        r->z = get(T * gates * H, sizeof(real)), r->a = get(T * gates * H, sizeof(real));
        r->sum = get(T * H, sizeof(real)), r->m = get(T * H, sizeof(real));
    }
    for (int b = 0; b < B; b++) {
        int steps = lengths && lengths->count ? (int)lengths->items[b].number : T;
        for (int n = 0; n < S; n++) {
            Run *r = &runs[n];
            int back = reverse || n % ways, below = (n / ways - 1) * ways;
            if (h_0) memcpy(r->h, h_0 + (n * B + b) * R, R * sizeof(real));
            if (c_0) memcpy(r->c, c_0 + (n * B + b) * H, H * sizeof(real));
            for (int t = 0; t < steps; t++) {
                int s = back ? steps - 1 - t : t;  /* the step of the sequence */
                real *to = rows(r->x, t, r->in);
                if (n < ways) memcpy(to, place(x, s, b, D), D * sizeof(real));
                for (int w = 0; w < ways && n >= ways; w++) {
                    int ran = reverse || w ? steps - 1 - s : s;  /* when the layer below ran s */
                    memcpy(to + w * R, runs[below + w].h + (ran + 1) * R, R * sizeof(real));
                }
                step(r, t);
                real *half = place(output, s, b, wide) + n % ways * R;
                if (n >= S - ways) memcpy(half, r->h + (t + 1) * R, R * sizeof(real));
            }
            memcpy(h_n + (n * B + b) * R, r->h + steps * R, R * sizeof(real));
            memcpy(c_n + (n * B + b) * H, r->c + steps * H, H * sizeof(real));
        }
        real *d_above = get(T * wide, sizeof(real)), *d_below = NULL;
        for (int t = 0; t < steps; t++)
            memcpy(d_above + t * wide, place(d_out, t, b, wide), wide * sizeof(real));
        for (int n = S - 1; n >= 0; n--) {
            Run *r = &runs[n];
            int back = reverse || n % ways;
            real *d_h = get(R, sizeof(real)), *d_c = get(H, sizeof(real));
            if (!d_below) d_below = get(T * r->in, sizeof(real));
            memcpy(d_h, d_h_n + (n * B + b) * R, R * sizeof(real));
            if (d_c_n) memcpy(d_c, d_c_n + (n * B + b) * H, H * sizeof(real));
            for (int t = steps - 1; t >= 0; t--) {
                int s = back ? steps - 1 - t : t;
                for (int u = 0; u < R; u++) d_h[u] += d_above[s * wide + n % ways * R + u];
                step_back(r, t, d_h, d_c, d_below + s * r->in);
            }
            memcpy(d_h_0 + (n * B + b) * R, d_h, R * sizeof(real));
            memcpy(d_c_0 + (n * B + b) * H, d_c, H * sizeof(real));
            free(d_h), free(d_c);
            if (n % ways == 0) free(d_above), d_above = d_below, d_below = NULL;
        }
        for (int t = 0; t < steps; t++)
            memcpy(place(d_in, t, b, D), d_above + t * D, D * sizeof(real));
        free(d_above);
    }
    put("output", "", output, T * B * wide);
    put("h_n", "", h_n, S * B * R);
    if (lstm) put("c_n", "", c_n, S * B * H);
    put("grad_x", "", d_in, T * B * D);
    if (h_0) put("grad_h_0", "", d_h_0, S * B * R);
    if (c_0) put("grad_c_0", "", d_c_0, S * B * H);
    for (int n = 0; n < S; n++) {
        Run *r = &runs[n];
        snprintf(suffix, sizeof suffix, "_l%d%s", n / ways, n % ways ? "_reverse" : "");
        put("grad_weight_ih", suffix, r->d_W, gates * H * r->in);
        put("grad_weight_hh", suffix, r->d_U, gates * H * R);
        put(r->b_h ? "grad_bias_ih" : "grad_bias", suffix, r->d_b, gates * H);
        put("grad_bias_hn", suffix, r->d_b_n, H);
        if (gru) memcpy(r->d_b + N * H, r->d_b_n, H * sizeof(real));
        if (r->b_h) put("grad_bias_hh", suffix, r->d_b, gates * H);
        if (P) put("grad_weight_hr", suffix, r->d_V, P * H);
        if (peephole) put("grad_peephole", suffix, r->d_p, 3 * H);
    }
}

static void run_case(const char *path) {
    size_t size;
    at = whole_file(path, &size);
    file = value();
    inputs = find(&file, "inputs");
    tensors = NULL;
    if (find(&file, "arrays")) {
        char beside[4096];
        snprintf(beside, sizeof beside, "%s/%s", folder, find(&file, "arrays")->text);
        tensors = whole_file(beside, &size);
        at = tensors + 8;
        header = value();
    }
    const char *cell = find(&file, "cell")->text, *direction = find(&file, "direction")->text;
    lstm = !strcmp(cell, "LSTM"), gru = !strcmp(cell, "GRU"), rnn = !strcmp(cell, "RNN");
    gates = lstm ? 4 : gru ? 3 : 1;
    T = whole("T"), B = whole("B"), D = whole("D"), H = whole("H"), P = whole("P");
    R = P ? P : H;
    layers = whole("layers"), batch_first = whole("batch_first");
    ways = strcmp(direction, "bidirectional") ? 1 : 2, reverse = !strcmp(direction, "reverse");
    reset_after = whole("reset_after"), peephole = whole("peephole"), coupled = whole("coupled");
    has_clip = !find(&file, "clip")->text, clip_z = find(&file, "clip")->number;
    has_cell_clip = !find(&file, "cell_clip")->text, clip_c = find(&file, "cell_clip")->number;
    no_i = removed("i"), no_f = removed("f"), no_o = removed("o");
    act_gate = act("gate"), act_cell = act("cell");
    act_hidden = act("hidden"), act_state = act("state");
    solve();
}

int main(int argc, char **argv) {
    if (argc != 3) stop("use: lstm CASES RESULTS");
    DIR *dir = opendir(folder = argv[1]);
    if (!dir) stop(argv[1]);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096], *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".json")) continue;
        snprintf(path, sizeof path, "%s/%s", argv[2], entry->d_name);
        if (!(out = fopen(path, "w"))) stop(path);
        fprintf(out, "{\"dtype\": \"float%d\", \"results\": {", 8 * (int)sizeof(real));
        first = 1;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        run_case(path);
        fprintf(out, "\n}}\n");
        if (fclose(out)) stop("can't write");
    }
    closedir(dir);
    return 0;
}
