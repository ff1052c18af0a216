//! Attacks that a wall has to stop at once.

use super::arena::{Who, everybody, hold};
use serde_json::json;

/// One test for each attack: its claim, and the trial that denies it; and all the trials once more, as a list.
macro_rules! attacks {
    ($list:ident, $who:expr; $($claim:ident => $trial:literal,)*) => {
        pub(crate) const $list: &[&str] = &[$($trial),*];

        $(#[test]
        fn $claim() {
            hold($trial, 0, &json!({}), &$who);
        })*
    };
}

attacks! { OF_EVERYBODY, everybody();
    a_file_outside_is_not_read => "read-outside",
    a_file_outside_is_not_written => "write-outside",
    a_file_outside_is_not_removed => "remove-outside",
    a_file_outside_keeps_its_mode => "chmod-outside",
    a_file_outside_keeps_its_attributes => "xattr-outside",
    a_file_outside_keeps_its_times => "times-outside",
    a_file_outside_keeps_its_owner => "owner-outside",
    a_file_outside_keeps_its_length => "truncate-outside",
    a_folder_that_is_a_link_leads_nowhere_outside => "link-in-folders",
    a_link_leads_nowhere_outside => "read-through-link",
    a_file_outside_gets_no_second_name_in_the_workspace => "hard-link",
    nothing_is_moved_outside => "rename-outside",
    homes_and_state_are_not_seen => "see-home",
    only_devices_that_lead_nowhere_are_seen => "devices",
    no_file_is_made_to_run_as_its_owner => "setuid-chmod",
    no_file_is_born_to_run_as_its_owner => "setuid-open",
    a_process_outside_is_not_seen => "see-process",
    the_environment_of_a_process_outside_is_not_read => "environment-of-other",
    the_files_of_a_process_outside_are_not_reached => "root-of-other",
    no_signal_goes_outside => "signal-outside",
    a_process_outside_is_not_traced => "ptrace-outside",
    not_even_a_child_is_traced => "ptrace-child",
    the_memory_of_a_process_outside_is_not_read => "memory-of-other",
    the_init_gets_no_signal => "kill-init",
    the_init_shows_nothing => "look-into-init",
    no_variable_is_inherited => "inherited-variable",
    no_descriptor_is_inherited => "inherited-descriptor",
    a_server_on_loopback_is_not_reached_by_ipv4 => "tcp4",
    a_server_on_loopback_is_not_reached_by_ipv6 => "tcp6",
    a_server_on_loopback_is_not_reached_by_udp => "udp",
    a_socket_outside_is_not_reached_by_its_path => "unix-path",
    an_abstract_socket_outside_is_not_reached => "unix-abstract",
    no_socket_leads_to_the_hypervisor => "vsock",
    no_socket_hears_of_the_kernels_devices => "netlink-audit",
    no_ring_of_requests_is_made => "io-uring",
    nothing_of_the_machine_is_measured => "perf-event",
    no_page_faults_are_taken_over => "userfaultfd",
    no_key_is_added => "add-key",
    no_keyring_is_asked_for => "keyctl",
    no_other_personality_is_taken => "personality",
    no_namespace_is_left_for_a_new_one => "unshare-user",
    no_process_is_born_into_a_new_namespace => "clone-user",
    no_process_is_born_by_a_call_that_can_not_be_judged => "clone3",
    nothing_is_taken_of_the_requests_that_the_whole_machine_shares => "aio-contexts",
    no_driver_of_terminals_is_loaded => "line-discipline",
    no_handle_of_a_file_is_had => "file-handle",
    nobody_hears_of_the_files_that_others_open => "fanotify",
    no_descriptor_of_a_process_outside_is_taken => "descriptor-of-other",
    the_memory_of_a_process_outside_is_not_written => "write-memory-of-other",
    no_process_is_compared_with_one_outside => "compare-with-other",
    a_process_outside_keeps_its_priority => "priority-of-other",
    a_process_outside_keeps_its_place_at_the_disk => "disk-priority-of-other",
    the_limits_of_a_process_outside_are_not_asked_for => "limits-of-other",
    no_socket_takes_several_ways => "multipath",
    no_socket_speaks_a_transport_that_no_build_needs => "light-datagrams",
    no_socket_is_of_a_family_that_no_build_needs => "odd-families",
    no_socket_speaks_any_other_protocol => "odd-protocols",
    no_memory_is_hidden_from_the_kernel_itself => "secret-memory",
    no_huge_page_is_taken_that_is_counted_for_nobody => "huge-pages",
    no_file_of_huge_pages_is_made => "huge-file",
    nobody_is_asked_for_a_key => "ask-for-key",
    no_process_offers_itself_to_be_traced => "trace-me",
    no_device_is_made_not_even_one_that_leads_nowhere => "empty-device",
    the_memory_of_a_process_outside_is_not_written_by_a_call_either => "memory-of-other-by-call",
}

// What an ordinary user may not do outside either.
attacks! { OF_ROOT, root();
    no_program_runs_as_its_owner_and_leaves_the_user_behind => "setuid-run",
    no_program_is_loaded_into_the_kernel => "bpf",
    what_only_root_may_read_is_not_read => "read-shadow",
    the_system_is_not_written => "write-system",
    nothing_is_mounted => "mount",
    no_other_root_is_taken => "chroot",
    no_device_is_made => "mknod",
    no_socket_sees_every_packet => "packet",
    no_socket_shares_its_packets_with_the_kernel => "xdp",
    nothing_is_typed_into_a_terminal => "typed-input",
    no_program_is_named_that_gets_the_machines_cores => "core-pattern",
    the_machines_caches_are_not_dropped => "drop-caches",
    the_machines_devices_are_not_set => "write-devices",
    nobody_leaves_the_group_that_is_limited => "leave-group",
    the_host_keeps_its_name => "host-name",
    the_clock_is_not_set => "clock",
    the_kernels_log_is_not_read => "kernel-log",
    no_namespace_of_a_process_outside_is_entered => "namespace-of-other",
    nothing_is_unmounted => "unmount",
    no_root_takes_the_place_of_another => "other-root",
    no_file_system_is_begun => "new-file-system",
    no_mount_is_copied => "copy-of-mounts",
    no_file_is_opened_by_its_number => "file-by-handle",
    no_swap_is_switched_on => "swap",
    the_machine_is_not_started_anew => "restart",
    nobody_runs_before_everybody_else => "before-everybody",
}

/// Those who are root.
fn root() -> Vec<Who> {
    everybody().into_iter().filter(|who| who.is_root()).collect()
}

#[test]
fn a_program_of_root_makes_nobody_root() {
    let nobody: Vec<Who> = everybody().into_iter().filter(|who| *who == Who::Nobody).collect();
    hold("setuid-run", 0, &json!({}), &nobody);
}
