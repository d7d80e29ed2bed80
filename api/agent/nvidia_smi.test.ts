import { expect, test } from 'vitest';
import { parseGpus } from './nvidia_smi.ts';

test('GPUs are read from what the driver prints', () => {
  const printed = 'NVIDIA H100 80GB HBM3, GPU-5c2f, 81559, 97\nNVIDIA H100 80GB HBM3, GPU-77aa, 81559, [N/A]\n\nNo devices were found\n';
  expect(parseGpus(printed)).toEqual([
    { name: 'NVIDIA H100 80GB HBM3', uuid: 'GPU-5c2f', memory_mb: 81_559, utilisation_percent: 97 },
    { name: 'NVIDIA H100 80GB HBM3', uuid: 'GPU-77aa', memory_mb: 81_559 },
  ]);
});
