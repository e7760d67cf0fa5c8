//! Opening a device while another thread opens or closes it, over a fake driver that does not
//! return: the wait has a limit, and holds up no other device.

#[path = "../../cann-sys/tests/fake/mod.rs"]
mod fake;

use fake::FakeDriver;
use lanescope_cann::{Context, load_driver};
use lanescope_platform::{PlatformError, Result};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(50);
/// For what must not wait for the limit at all.
const HANG: Duration = Duration::from_secs(60);

type Opened = Result<Arc<Context>>;

fn open(driver: &FakeDriver, device: u32, limit: Duration) -> Opened {
    let libraries = load_driver(Some(driver.folder()), &[]).expect("loads");
    Context::open(libraries, device, device, limit)
}

/// What opening comes to in a thread of its own, which does not hang the test when it hangs.
fn open_aside(driver: &FakeDriver, device: u32, limit: Duration) -> Receiver<Opened> {
    let libraries = load_driver(Some(driver.folder()), &[]).expect("loads");
    let (send, opened) = channel();
    std::thread::spawn(move || {
        let _ = send.send(Context::open(libraries, device, device, limit));
    });
    opened
}

fn answer(opened: &Receiver<Opened>) -> Opened {
    opened.recv_timeout(HANG).expect("opening hangs")
}

fn check_given_up(opened: Opened) {
    let error = opened.expect_err("the other thread is not done");
    assert!(
        matches!(error, PlatformError::DevicePoisoned { device: 0, .. }),
        "{error}"
    );
    let text = format!("{error}: {error:?}");
    assert!(text.contains("for 50ms"), "{text}");
}

#[test]
fn a_device_that_is_being_closed_is_waited_for_up_to_the_limit() {
    for call in ["rtDeviceReset", "aclrtResetDeviceForce"] {
        let driver = FakeDriver::build(&[]);
        let context = open(&driver, 0, HANG).expect("opens");
        if call == "aclrtResetDeviceForce" {
            driver.fail("rtDeviceReset", 0, 507_899);
        }
        let hold = driver.hold(call);
        let closing = std::thread::spawn(move || drop(context));
        hold.wait_until_held();
        check_given_up(answer(&open_aside(&driver, 0, SHORT)));
        let other = answer(&open_aside(&driver, 1, SHORT));
        let waiting = open_aside(&driver, 0, HANG);
        driver.stop_failing();
        driver.calls();
        drop(hold);
        closing.join().expect("it does not panic");
        let again = answer(&waiting).expect("it was closed");
        let calls = driver.calls();
        assert_eq!(calls, ["rtSetDevice"], "it is opened behind the reset");
        drop((other.expect("another device"), again));
    }
}

#[test]
fn a_device_that_is_being_opened_is_waited_for_up_to_the_limit() {
    let driver = FakeDriver::build(&[]);
    let hold = driver.hold("rtSetDevice");
    let first = open_aside(&driver, 0, HANG);
    hold.wait_until_held();
    check_given_up(answer(&open_aside(&driver, 0, SHORT)));
    let other = answer(&open_aside(&driver, 1, SHORT));
    let second = open_aside(&driver, 0, HANG);
    drop(hold);
    let first = answer(&first).expect("opens");
    let second = answer(&second).expect("opens");
    assert!(Arc::ptr_eq(&first, &second), "one context for a device");
    drop((other.expect("another device"), first, second));
}

#[test]
fn a_device_that_could_not_be_opened_is_left_to_the_next_thread() {
    let driver = FakeDriver::build(&[]);
    let hold = driver.hold("rtSetDevice");
    driver.fail("rtSetDevice", 0, 507_033);
    let first = open_aside(&driver, 0, HANG);
    hold.wait_until_held();
    let second = open_aside(&driver, 0, HANG);
    drop(hold);
    answer(&first).expect_err("the driver refuses it");
    answer(&second).expect_err("and again");
    driver.stop_failing();
    drop(open(&driver, 0, SHORT).expect("nobody is at it"));
    let calls = driver.calls();
    assert_eq!(calls.last().expect("calls"), "rtDeviceReset", "{calls:?}");
}
