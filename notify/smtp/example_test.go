package smtp_test

import (
	"fmt"

	"github.com/go-batteries/hawkeye"
	"github.com/go-batteries/hawkeye/notify/smtp"
)

func ExampleNew() {
	mailer, err := smtp.New(smtp.Config{
		Host:     "smtp.example.com",
		Username: "alerts",
		Password: "from a secret store",
		From:     "Alerts <alerts@example.com>",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	h, err := hawkeye.New(hawkeye.WithMailer(mailer), hawkeye.WithoutSocket())
	fmt.Println(mailer, h != nil, err)
	// Output: smtp alerts@smtp.example.com:587 true <nil>
}
