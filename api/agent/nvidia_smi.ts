/** What `nvidia-smi --query-gpu=name,uuid,memory.total,utilization.gpu --format=csv,noheader,nounits` prints. */
export interface Gpu {
  name: string;
  uuid: string;
  memory_mb: number;
  /** Absent where the driver does not tell. */
  utilisation_percent?: number;
}

export function parseGpus(printed: string): Gpu[] {
  return printed.split('\n').map((line) => line.split(',').map((cell) => cell.trim())).flatMap(([name, uuid, memory, utilisation]) => {
    if (!/^[0-9]+$/.test(memory ?? '')) return [];
    return [{ name, uuid, memory_mb: Number(memory), ...(/^[0-9]{1,3}$/.test(utilisation ?? '') ? { utilisation_percent: Number(utilisation) } : {}) }];
  });
}
