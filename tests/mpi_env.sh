# Lets Open MPI 4 and 5 start more ranks than there are cores, as root, in a container, without binding them: for tests
# and the demo on any machine.  Sourced by ./quickstart, tests/run-test and tests/e2e/e2e_lib.sh; other MPIs ignore it.
# shellcheck shell=sh
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none # Open MPI 4
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none # Open MPI 5
export OMPI_MCA_btl_vader_single_copy_mechanism=none
