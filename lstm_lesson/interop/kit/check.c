/* Judge the results of a recurrent layer against the cases of the kit. Needs a C compiler alone.

   cc -O2 -o check check.c -lm
   ./check cases results             for each cases/ID.json, judge results/ID.json
   ./check --forward cases results   look at output and final states alone

   A file of results is {"dtype": "float64" or "float32", "results": {name: numbers, ...}}, numbers
   nested or flat, last index fastest. Exit code: 0 all pass, 1 one fails, 2 one can't be used. */
#include <dirent.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 3 /* wrong arrays of a case of which the first wrong number is shown */

/* ---- JSON ---- */

typedef struct Value Value;
struct Value { char *key, *text; double number; int count; Value *items; };

static const char *at;     /* what is read next */
static const char *broken; /* why it is no JSON, NULL while it is */

static void *get(size_t n) {
    void *p = calloc(n ? n : 1, 1);
    if (!p) fprintf(stderr, "check: out of memory\n"), exit(2);
    return p;
}

static int take(char c) {
    while (*at && strchr(" \t\r\n", *at)) at++;
    if (*at != c) return 0;
    at++;
    return 1;
}

static char *string(void) {
    const char *start = at;
    while (*at && *at != '"') at += *at == '\\' && at[1] ? 2 : 1;
    char *s = get(at - start + 1);
    memcpy(s, start, at - start);
    if (!*at++) broken = "a string without an end", at--;
    return s;
}

static Value value(int depth) {
    static const char *const words[] = {"null", "true", "false", "NaN", "Infinity", "-Infinity"};
    Value v = {NULL, NULL, NAN, 0, NULL};
    int object = take('{');
    if (depth > 100) broken = "nested too deeply";
    if (broken) return v;
    if (object || take('[')) {
        char end = object ? '}' : ']';
        int room = 0;
        if (take(end)) return v;
        do {
            char *key = NULL;
            if (object && !take('"')) broken = "an object without a name";
            if (object && !broken) key = string();
            if (object && !broken && !take(':')) broken = "a name without a colon";
            for (int k = 0; !broken && object && k < v.count; k++)
                if (!strcmp(v.items[k].key, key)) broken = "a name is given twice";
            if (broken) return v;
            if (v.count == room) v.items = realloc(v.items, (room = 2 * room + 8) * sizeof v);
            if (!v.items) exit(2);
            Value item = value(depth + 1);
            item.key = key;
            v.items[v.count++] = item;
        } while (!broken && take(','));
        if (!broken && !take(end)) broken = "a comma or an end is missing";
        return v;
    }
    if (take('"')) {
        v.text = string();
        return v;
    }
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (!strncmp(at, words[k], strlen(words[k]))) {
            at += strlen(words[k]);
            return v; /* no number, which is never right */
        }
    size_t digits = strspn(at, "0123456789+-.eE");
    char *end;
    v.number = strtod(at, &end);
    if (!digits || end != at + digits) broken = "neither a number nor anything else";
    at = end;
    return v;
}

static Value *find(Value *v, const char *key) {
    for (int k = 0; v && k < v->count; k++)
        if (v->items[k].key && !strcmp(v->items[k].key, key)) return &v->items[k];
    return NULL;
}

static const char *word(Value *v, const char *key) {
    Value *found = find(v, key);
    return found && found->text ? found->text : "";
}

/* Return a whole file with a zero behind it, NULL if it can't be read. */
static char *whole_file(const char *folder, const char *name, size_t *size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    char *s = n < 0 || n > 1 << 30 ? NULL : get(n + 1); /* a folder is said to be very long */
    if (s && fread(s, 1, n, f) != (size_t)n) s = NULL;
    fclose(f);
    *size = n;
    return s;
}

static Value json(const char *text, size_t size) {
    broken = NULL;
    at = text;
    Value v = value(0);
    take(' ');
    if (!broken && at != text + size) broken = "something behind its end";
    return v;
}

/* ---- Arrays ---- */

typedef struct { const char *name; int shape[4], axes; size_t n; double *a; } Array;

static size_t numbers(Value *v, double *to) {
    if (v->items) {
        size_t n = 0;
        for (int k = 0; k < v->count; k++) n += numbers(&v->items[k], to ? to + n : NULL);
        return n;
    }
    if (to) *to = v->text ? NAN : v->number;
    return 1;
}

static double *flat(Value *v, size_t *n) {
    Value *data = find(v, "data");
    if (data) v = data;
    *n = v->count || v->number == v->number || v->text ? numbers(v, NULL) : 0;
    double *a = get(*n * sizeof *a);
    if (*n) numbers(v, a);
    return a;
}

/* Return what has to come out of a case: from its JSON, or from the safetensors file it names. */
static Array *expected(Value *cs, const char *folder, int *count) {
    Value *from = find(cs, "expected"), header;
    char *bytes = NULL;
    uint64_t start = 0;
    size_t size;
    if (!from) {
        bytes = whole_file(folder, word(cs, "arrays"), &size);
        if (!bytes) return NULL;
        memcpy(&start, bytes, 8);
        char *text = get(start + 1);
        memcpy(text, bytes + 8, start);
        header = json(text, strlen(text));
        from = &header;
    }
    Array *all = get(from->count * sizeof *all);
    *count = 0;
    for (int k = 0; k < from->count; k++) {
        Value *v = &from->items[k], *shape = find(v, "shape"), *data = find(v, "data");
        if (bytes && strncmp(v->key, "expected.", 9)) continue;
        Array *a = &all[(*count)++];
        a->name = bytes ? v->key + 9 : v->key;
        a->axes = shape->count;
        a->n = 1;
        for (int n = 0; n < a->axes; n++) a->n *= a->shape[n] = shape->items[n].number;
        if (!bytes) {
            a->a = flat(data, &a->n);
            continue;
        }
        a->a = get(a->n * sizeof(double)); /* float64, as every case is */
        size_t first = find(v, "data_offsets")->items[0].number;
        memcpy(a->a, bytes + 8 + start + first, a->n * sizeof(double));
    }
    return all;
}

/* ---- The verdict ---- */

static int needed(const char *name, int forward) {
    if (!strcmp(name, "output") || !strcmp(name, "h_n") || !strcmp(name, "c_n")) return 1;
    return !forward && !strncmp(name, "grad_", 5) && strncmp(name, "grad_z_", 7);
}

/* Return the largest error relative to the largest number expected; *worst is the first beyond. */
static double error_of(const Array *a, const double *found, double tolerance, size_t *worst) {
    double size = 0, largest = 0;
    for (size_t k = 0; k < a->n; k++) size = fmax(size, fabs(a->a[k]));
    if (size == 0) size = 1;
    *worst = a->n;
    for (size_t k = 0; k < a->n; k++) {
        double error = fabs(found[k] - a->a[k]) / size;
        if (!(error <= tolerance) && *worst == a->n) *worst = k;
        if (!(error <= largest)) largest = error; /* also where it is no number, */
        if (largest != largest) return largest;   /* and then it stays none */
    }
    return largest;
}

static void place(const Array *a, size_t k) {
    size_t rest = a->n;
    for (int n = 0; n < a->axes; n++) {
        rest /= a->shape[n];
        printf("[%zu]", k / rest);
        k %= rest;
    }
}

static void list(const char *title, char **names, int n) {
    if (n) printf("    %s:", title);
    for (int k = 0; k < n; k++) printf("%s %s", k ? "," : "", names[k]);
    if (n) printf("\n");
}

/* Judge one case, print its lines, and return 0, 1 or 2. */
static int judge(const char *folder, const char *results, const char *name, int forward) {
    size_t size;
    char *text = whole_file(folder, name, &size);
    Value cs = text ? json(text, size) : (Value){0};
    const char *id = word(&cs, "id");
    int count = 0;
    Array *arrays = text && !broken ? expected(&cs, folder, &count) : NULL;
    if (!arrays) return printf("%s\n    not a case of the kit\n", name), 2;
    text = whole_file(results, name, &size);
    Value file = text ? json(text, size) : (Value){0}, *found = find(&file, "results");
    const char *why = !text ? "no results" : broken ? broken : NULL, *dtype = word(&file, "dtype");
    if (!why && !found) why = "expected {\"results\": {name: numbers}}";
    if (!why && *word(&file, "id") && strcmp(word(&file, "id"), id)) why = "of another case";
    if (!*dtype) dtype = "float64";
    if (!why && strcmp(dtype, "float64") && strcmp(dtype, "float32")) why = "which dtype?";
    if (why) return printf("%-37s  UNUSABLE\n    %s\n", id, why), 2;

    double tolerance = strcmp(dtype, "float32") ? 1e-12 : 2e-5, largest = 0;
    char **right = get(count * sizeof *right), **missing = get(count * sizeof *missing);
    Array **wrong = get(count * sizeof *wrong);
    double **got = get(count * sizeof *got);
    size_t *length = get(count * sizeof *length), worst;
    int rights = 0, wrongs = 0, lacking = 0;
    for (int k = 0; k < count; k++) {
        Value *v = find(found, arrays[k].name);
        if (!v) {
            if (needed(arrays[k].name, forward)) missing[lacking++] = (char *)arrays[k].name;
            continue;
        }
        got[wrongs] = flat(v, &length[wrongs]);
        double error = NAN;
        if (length[wrongs] == arrays[k].n) {
            error = error_of(&arrays[k], got[wrongs], tolerance, &worst);
            if (largest == largest && !(error <= largest)) largest = error;
        }
        if (error <= tolerance) right[rights++] = (char *)arrays[k].name;
        else wrong[wrongs++] = &arrays[k];
    }
    int passed = !wrongs && !lacking;
    printf("%-37s  %-8s  %-7s  %8.1e\n", id, passed ? "PASS" : "FAIL", dtype, largest);
    if (passed) return 0;
    printf("    exercises %s; %s\n", word(&cs, "exercises"), word(&cs, "bug"));
    for (int k = 0; k < wrongs && k < SHOWN; k++) {
        printf("    %s wrong, ", wrong[k]->name);
        if (length[k] != wrong[k]->n) {
            printf("%zu numbers, not %zu\n", length[k], wrong[k]->n);
            continue;
        }
        error_of(wrong[k], got[k], tolerance, &worst);
        printf("first at ");
        place(wrong[k], worst);
        printf(": is %.6g, expected %.6g\n", got[k][worst], wrong[k]->a[worst]);
    }
    char **more = get(count * sizeof *more);
    for (int k = SHOWN; k < wrongs; k++) more[k - SHOWN] = (char *)wrong[k]->name;
    list("wrong, too", more, wrongs - SHOWN > 0 ? wrongs - SHOWN : 0);
    list("missing", missing, lacking);
    list("right", right, rights);
    return 1;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv) {
    int forward = argc > 1 && !strcmp(argv[1], "--forward"), n = 0, room = 0, counts[3] = {0};
    if (argc != 3 + forward) return fprintf(stderr, "use: check [--forward] CASES RESULTS\n"), 2;
    const char *folder = argv[1 + forward], *results = argv[2 + forward];
    DIR *dir = opendir(folder);
    if (!dir) return fprintf(stderr, "check: %s: no such folder\n", folder), 2;
    char **names = NULL;
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 5, ".json")) continue;
        if (n == room && !(names = realloc(names, (room = 2 * room + 8) * sizeof *names))) return 2;
        names[n] = memcpy(get(length + 1), entry->d_name, length);
        n++;
    }
    closedir(dir);
    if (!n) return fprintf(stderr, "check: %s: no cases in it\n", folder), 2;
    qsort(names, n, sizeof *names, by_name);
    for (int k = 0; k < n; k++) counts[judge(folder, results, names[k], forward)]++;
    printf("%d of %d pass, %d fail, %d unusable; tolerance float64 1e-12, float32 2e-05\n",
           counts[0], n, counts[1], counts[2]);
    return counts[2] ? 2 : counts[1] ? 1 : 0;
}
