//! Every way of linking really runs the library it names.

use c_tests::{Compile, Linkage, Milter, Program};

fn accept() -> Program {
    Compile::c("milters/accept.c").build().unwrap()
}

fn runs_with(linkage: Linkage) {
    let command = linkage.command(&accept()).unwrap();
    let (milter, _) = Milter::start_at_socket(command, &[]).unwrap();
    milter.check_mapped(linkage).unwrap();
    assert_eq!(milter.log().lines().unwrap(), Vec::<String>::new());
    let status = milter.stop().unwrap();
    assert!(status.success(), "{linkage:?}: {status}");
}

/// The one log line that is easy to provoke shows that the shim sees the library's calls.
fn logs_with(linkage: Linkage) {
    let mut milter = Milter::start(linkage.command(&accept()).unwrap(), |_, _| {}).unwrap();
    assert_eq!(milter.wait().unwrap().code(), Some(1), "{linkage:?}");
    let lines = milter.log().lines().unwrap();
    assert_eq!(lines, ["err accept: missing connection information"], "{linkage:?}");
}

macro_rules! per_linkage {
    ($($name:ident $logs:ident $linkage:ident,)*) => {$(
        #[test]
        fn $name() {
            runs_with(Linkage::$linkage);
        }
        #[test]
        fn $logs() {
            logs_with(Linkage::$linkage);
        }
    )*};
}

per_linkage! {
    reference_dynamic_runs reference_dynamic_logs ReferenceDynamic,
    reference_static_runs reference_static_logs ReferenceStatic,
    ours_dynamic_runs ours_dynamic_logs OursDynamic,
    ours_static_runs ours_static_logs OursStatic,
    ours_preload_runs ours_preload_logs OursPreload,
}
