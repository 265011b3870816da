"""Quick look while working."""
from selenium.webdriver.common.keys import Keys
import time


def test_look(server, browser, account):
    browser.driver.get(server.base + "/")
    browser.shot("00-login")
    browser.sign_in(server, account)
    time.sleep(0.3)
    browser.shot("01-list")
    print(browser.names())
