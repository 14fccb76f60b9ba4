// Speak, or drop a recording: the word, or all words over time.
import { base64, bytes, exampleOf } from "./asking.js";
import { dropZone, field, make, share } from "./elements.js";
import { general } from "./play.js";

export default function page(play) {
  const detect = make("input", { type: "checkbox" });
  const heard = make("div");
  const ask = async (audio) => {
    heard.replaceChildren(make("audio", { controls: true, src: URL.createObjectURL(new Blob([bytes(audio)], { type: "audio/wav" })) }));
    spectrogram(bytes(audio).buffer).then((it) => it && heard.append(it));
    return play.answer({ audio }, { detect: detect.checked }, (record) => (record.words ? words(record) : general(play.model, record)));
  };
  play.place.replaceChildren(make("h2", {}, "Say a word"),
    make("div", { class: "row" }, record(ask, play), field("Find all words in it", detect, true)),
    dropZone("Or a recording (WAV, FLAC)", "audio/*", async (file) => ask(await base64(file))),
    make("div", { class: "row" }, make("button", { id: "example", onclick: () => ask(exampleOf(play.model).audio) }, "Take the example")),
    heard);
}

function words(found) {
  const rows = found.words.map((word, at) => make("tr", {}, make("td", {}, `${found.starts[at].toFixed(1)} s`), make("th", { scope: "row" }, word), make("td", {}, share(found.scores[at]))));
  return make("table", {}, make("caption", { class: "faint" }, rows.length ? "Words in the order of time" : "No word was found"), make("tbody", {}, ...rows));
}

function record(ask, play) {
  let recorder = null;
  const button = make("button", { onclick: async () => {
    if (recorder) return recorder.stop();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const parts = [];
      recorder = new MediaRecorder(stream);
      recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
      recorder.addEventListener("stop", async () => {
        stream.getTracks().forEach((it) => it.stop());
        recorder = null;
        button.textContent = "Record";
        await ask(await base64(await wav(await new Blob(parts).arrayBuffer())));
      });
      recorder.start();
      button.textContent = "Stop";
    } catch (error) {
      play.say(`No microphone: ${error.message}`);
    }
  } }, "Record");
  return button;
}

async function samples(content) {
  const context = new AudioContext();
  try {
    return await context.decodeAudioData(content);
  } finally {
    context.close();
  }
}

// One channel of 16 bits: what the model's own reader takes.
async function wav(content) {
  const sound = await samples(content);
  const wave = sound.getChannelData(0);
  const view = new DataView(new ArrayBuffer(44 + 2 * wave.length));
  const text = (at, letters) => [...letters].forEach((it, place) => view.setUint8(at + place, it.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * wave.length, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, sound.sampleRate, true); view.setUint32(28, 2 * sound.sampleRate, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * wave.length, true);
  wave.forEach((it, at) => view.setInt16(44 + 2 * at, Math.max(-1, Math.min(1, it)) * 32767, true));
  return new Blob([view], { type: "audio/wav" });
}

// How loud each pitch is over time: 64 bands of 128 moments.
async function spectrogram(content) {
  const sound = await samples(content).catch(() => null);
  if (!sound) return null;
  const wave = sound.getChannelData(0), size = 256, bands = 64, moments = 128;
  const canvas = make("canvas", { width: moments * 3, height: bands * 2, role: "img", "aria-label": "Spectrogram: pitch upwards, time to the right" });
  const pen = canvas.getContext("2d");
  for (let moment = 0; moment < moments; moment += 1) {
    const start = Math.floor(moment * Math.max(0, wave.length - size) / moments);
    for (let band = 0; band < bands; band += 1) {
      let real = 0, imaginary = 0;
      for (let at = 0; at < size; at += 1) {
        const angle = 2 * Math.PI * band * at / size;
        const value = (wave[start + at] || 0) * (0.5 - 0.5 * Math.cos(2 * Math.PI * at / size));
        real += value * Math.cos(angle);
        imaginary += value * Math.sin(angle);
      }
      const loud = Math.min(1, Math.max(0, (Math.log10(real * real + imaginary * imaginary + 1e-9) + 5) / 7));
      pen.fillStyle = `hsl(${260 - 200 * loud} 80% ${10 + 60 * loud}%)`;
      pen.fillRect(moment * 3, (bands - 1 - band) * 2, 3, 2);
    }
  }
  return canvas;
}
