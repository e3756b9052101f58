/*
 * How many CPUs this process may use: its affinity mask, limited by the CPU quota of its control
 * groups.
 */
#ifndef BGI_CPU_H
#define BGI_CPU_H

/* At least 1. Reads some files: for start-up. The answer may change while the process runs. */
int bgi_cpu_count(void);

/* CPUs in the calling thread's affinity mask, at least 1. */
int bgi_cpu_affinity(void);

/*
 * The tightest CPU quota on the way from the process's control groups up to the roots of their
 * hierarchies, in CPUs rounded up, at least 1; 0 when there is none. Both hierarchies are looked
 * at: cpu.max (version 2), cpu.cfs_quota_us with cpu.cfs_period_us (version 1). Every path is read
 * below `root` ("" is the real one), and whatever is missing or makes no sense is no limit.
 */
int bgi_cpu_quota(const char *root);

#endif
