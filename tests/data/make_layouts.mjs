// Run TF.js's basicLSTMCell, and put what went in and what came out into layouts.json.
// npm install @tensorflow/tfjs; node tests/data/make_layouts.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const tf = createRequire(process.cwd() + '/')('@tensorflow/tfjs');
const file = new URL('layouts.json', import.meta.url);
const [T, B, D, H, forgetBias] = [4, 3, 5, 2, 0.7];

let seed = 1;
const draw = (...shape) => {
  if (!shape.length) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return Math.round((seed / 2 ** 30 - 1) * 1e4) / 1e4;
  }
  return Array.from({ length: shape[0] }, () => draw(...shape.slice(1)));
};

await tf.setBackend('cpu');
const arrays = { lstmKernel: draw(D + H, 4 * H), lstmBias: draw(4 * H) };
const [x, initial] = [draw(T, B, D), [draw(B, H), draw(B, H)]];
let [c, h] = initial.map((a) => tf.tensor2d(a));
const output = [];
for (const step of x) {
  [c, h] = tf.basicLSTMCell(
    tf.scalar(forgetBias), tf.tensor2d(arrays.lstmKernel), tf.tensor1d(arrays.lstmBias),
    tf.tensor2d(step), c, h);
  output.push(h.arraySync());
}
const made = {
  library: 'tfjs', cell: 'basicLSTMCell', kind: 'LSTM', version: tf.version.tfjs,
  told: { forget_bias: forgetBias }, arrays, x, initial, output, last: [c.arraySync(), h.arraySync()],
};
const kept = JSON.parse(readFileSync(file)).filter((each) => each.library !== 'tfjs');
const lines = [...kept, made].map((each) => JSON.stringify(each));
writeFileSync(file, `[\n${lines.join(',\n')}\n]\n`);
