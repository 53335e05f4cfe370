// Blocks and hears nothing.
export default (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600_000);
