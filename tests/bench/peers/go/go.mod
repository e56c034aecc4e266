module weir/peer-go

go 1.21
