/* What of the machine this process may use. */
#ifndef LASER_BASE_NODE_H
#define LASER_BASE_NODE_H

/* Bytes of memory that the processes of this job may use on this node together: the least of the physical
 * memory, the limits of the control groups that this process is in (versions 1 and 2) and what SLURM grants
 * (SLURM_MEM_PER_NODE; SLURM_MEM_PER_CPU times SLURM_CPUS_ON_NODE). */
double laser_node_memory(void);

/* The least limit of the control groups that a process is in, and of those above them: `list` as
 * /proc/PID/cgroup has it (versions 1 and 2), their files below `root`.  INFINITY where there is none. */
double laser_control_group_memory(const char *list, const char *root);

/* How much more this process alone may map, by its own limits (`ulimit -v`, `ulimit -d`; batch systems set
 * them for h_vmem and the like).  Without one both figures are INFINITY and name is NULL. */
struct laser_address_space {
    const char *name; /* of the limit that leaves least, static text */
    double limit_bytes, left_bytes;
};
struct laser_address_space laser_address_space(void);

/* Bytes of this process that are resident at this moment; 0 where that cannot be told. */
double laser_resident_memory(void);

#endif
