/* What of the machine this process may use. */
#ifndef LASER_BASE_NODE_H
#define LASER_BASE_NODE_H

/* Bytes of memory that the processes of this job may use on this node together: the least of the physical
 * memory, the limits of the control groups that this process is in (versions 1 and 2) and what SLURM grants
 * (SLURM_MEM_PER_NODE; SLURM_MEM_PER_CPU times SLURM_CPUS_ON_NODE). */
double laser_node_memory(void);

/* Bytes of this process that are resident at this moment; 0 where that cannot be told. */
double laser_resident_memory(void);

#endif
